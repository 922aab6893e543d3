/**
 * Which grants of a pool are out, in memory that all its threads share: acquiring and releasing sends no message.
 *
 * Int32: a counter of releases, whether the pool is closed, how many wait for a release, then one field per grant: 0 when it
 * is free, else the id of the thread that has it, plus 1.
 */
const RELEASES = 0
const CLOSED = 1
const WAITING = 2
const FIRST = 3

export class PoolControl {
  readonly buffer: SharedArrayBuffer
  readonly #fields: Int32Array
  readonly #size: number
  /** Where the last search ended: spreads threads over the pool, and finds a free one at once most of the time. */
  #cursor: number

  constructor(buffer: SharedArrayBuffer, start: number) {
    this.buffer = buffer
    this.#fields = new Int32Array(buffer)
    this.#size = this.#fields.length - FIRST
    this.#cursor = start % this.#size
  }

  static create(size: number): PoolControl {
    return new PoolControl(new SharedArrayBuffer((FIRST + size) * 4), 0)
  }

  /**
   * @param usable whether this thread can use a grant that is free
   * @returns the index of one that is now this thread's, or -1
   */
  take(thread: number, usable: (index: number) => boolean): number {
    for (let i = 0; i < this.#size; i++) {
      const index = this.#cursor
      this.#cursor = index + 1 === this.#size ? 0 : index + 1
      if (!usable(index)) continue
      if (Atomics.compareExchange(this.#fields, FIRST + index, 0, thread + 1) === 0) return index
    }
    return -1
  }

  /** @returns false when the thread does not have it */
  give(index: number, thread: number): boolean {
    if (Atomics.compareExchange(this.#fields, FIRST + index, thread + 1, 0) !== thread + 1) return false
    this.wake()
    return true
  }

  /**
   * Makes all that wait look again. Notifying costs more than all the rest of a release. Who begins to wait is counted first
   * and looks at the counter of releases then, which here is moved first: one of the two sees the other.
   */
  wake(): void {
    Atomics.add(this.#fields, RELEASES, 1)
    if (Atomics.load(this.#fields, WAITING) !== 0) Atomics.notify(this.#fields, RELEASES)
  }

  /** For all threads, for good. */
  close(): void {
    Atomics.store(this.#fields, CLOSED, 1)
    Atomics.notify(this.#fields, CLOSED)
    this.wake()
  }

  get closed(): boolean {
    return Atomics.load(this.#fields, CLOSED) !== 0
  }

  /** Resolves when {@link close} is called, in whatever thread. Does not keep this one alive. */
  async whenClosed(): Promise<void> {
    const wait = Atomics.waitAsync(this.#fields, CLOSED, 0)
    if (wait.async) await wait.value
  }

  heldBy(index: number, thread: number): boolean {
    return Atomics.load(this.#fields, FIRST + index) === thread + 1
  }

  get free(): number {
    let free = 0
    for (let i = 0; i < this.#size; i++) if (Atomics.load(this.#fields, FIRST + i) === 0) free++
    return free
  }

  /** What {@link released} takes: read it before looking for a free grant, or a release in between is missed. */
  get releases(): number {
    return Atomics.load(this.#fields, RELEASES)
  }

  /**
   * Resolves when something has been released since `releases` was read. A thread that ends while it waits stays counted, which
   * costs the others a notification for each release.
   */
  async released(releases: number): Promise<void> {
    Atomics.add(this.#fields, WAITING, 1)
    try {
      const wait = Atomics.waitAsync(this.#fields, RELEASES, releases)
      if (wait.async) await wait.value
    } finally {
      Atomics.sub(this.#fields, WAITING, 1)
    }
  }
}
