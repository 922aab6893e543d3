/**
 * Memory shared by the tasks of one fill and the thread that ordered it. Tasks take the next slice from a common
 * cursor, so a slow thread takes fewer and one message per thread is all it costs.
 *
 * Int32 fields, then one Int32 per task: the id of the thread that runs it, 0 until it has begun.
 */
const Field = { next: 0, stop: 1, doneBytes: 2 /* and 3: one BigInt64 */, firstThread: 4 } as const

export class FillControl {
  readonly buffer: SharedArrayBuffer
  readonly #fields: Int32Array
  readonly #doneBytes: BigInt64Array

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer
    this.#fields = new Int32Array(buffer)
    this.#doneBytes = new BigInt64Array(buffer, Field.doneBytes * 4, 1)
  }

  static create(tasks: number): FillControl {
    return new FillControl(new SharedArrayBuffer((Field.firstThread + tasks) * 4))
  }

  takeSlice(): number {
    return Atomics.add(this.#fields, Field.next, 1)
  }

  /** Cooperative: tasks look between slices, and a task that has not begun never touches the memory. */
  stop(): void {
    Atomics.store(this.#fields, Field.stop, 1)
    this.wake()
  }

  /** Has every {@link changed} resolve. */
  wake(): void {
    Atomics.notify(this.#fields, Field.stop)
  }

  get stopped(): boolean {
    return Atomics.load(this.#fields, Field.stop) !== 0
  }

  /**
   * Resolves when {@link stop} or {@link wake} is called. Does not keep the thread alive; V8 keeps it, and what waits for it,
   * until one of them is.
   */
  async changed(): Promise<void> {
    const wait = Atomics.waitAsync(this.#fields, Field.stop, 0)
    if (wait.async) await wait.value
  }

  addDone(bytes: number): void {
    Atomics.add(this.#doneBytes, 0, BigInt(bytes))
  }

  get doneBytes(): number {
    return Number(Atomics.load(this.#doneBytes, 0))
  }

  /**
   * The first thing a task does, before it looks at `stopped`. Both are sequentially consistent: who sees a task
   * not begun after having called {@link stop} knows that it will find the stop.
   */
  begin(slot: number, threadId: number): void {
    Atomics.store(this.#fields, Field.firstThread + slot, threadId)
  }

  threadOf(slot: number): number {
    return Atomics.load(this.#fields, Field.firstThread + slot)
  }
}
