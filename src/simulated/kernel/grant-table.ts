/** References 0 to 7 are the toolstack's, so that 0 can stand for "none". */
export const RESERVED_ENTRIES = 8

export interface GrantEntry {
  readonly ref: number
  /** The only domain that may map it. */
  readonly domid: number
  readonly frame: number
  readonly writable: boolean
  /** How often peers have it mapped now. */
  foreignMaps: number
}

/**
 * The grant table (version 1) of the granting domain: entries, the free list, and the entries whose end had to be
 * deferred because a peer still had them mapped.
 */
export class GrantTable {
  readonly capacity: number
  readonly #entries = new Map<number, GrantEntry>()
  /** Last in, first out, as in Linux. References above `#fresh` have never been used. */
  readonly #free: number[] = []
  #fresh = RESERVED_ENTRIES
  /** In the order of the next retry. */
  readonly #deferred = new Set<GrantEntry>()

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** Entries taken, the deferred ones included and the reserved ones not. */
  get used(): number {
    return this.#entries.size
  }

  get deferred(): number {
    return this.#deferred.size
  }

  get available(): number {
    return this.capacity - RESERVED_ENTRIES - this.#entries.size
  }

  /** The caller has looked at `available`. */
  grant(domid: number, frame: number, writable: boolean): GrantEntry {
    const ref = this.#free.pop() ?? this.#fresh++
    const entry: GrantEntry = { ref, domid, frame, writable, foreignMaps: 0 }
    this.#entries.set(ref, entry)
    return entry
  }

  /**
   * Ends access. While a peer has the page mapped the entry stays as it is, so that the peer can even map it once more:
   * it is only queued for `retry`.
   * @returns whether the frame is free now
   */
  end(entry: GrantEntry): boolean {
    if (entry.foreignMaps > 0) {
      this.#deferred.add(entry)
      return false
    }
    this.#release(entry)
    return true
  }

  /**
   * One round over the deferred entries: those no longer mapped are released, the others go to the end of the queue and
   * have used up a part of the budget too.
   * @param budget entries looked at, at most; 0 means each one once
   * @returns the frames that are free now
   */
  retry(budget: number): number[] {
    const frames: number[] = []
    let looked = 0
    let firstStuck: GrantEntry | undefined
    // An entry added during the iteration is visited too, after all others: that is the round robin.
    for (const entry of this.#deferred) {
      if (entry === firstStuck || (budget > 0 && looked === budget)) break
      looked++
      this.#deferred.delete(entry)
      if (entry.foreignMaps === 0) {
        this.#release(entry)
        frames.push(entry.frame)
      } else {
        this.#deferred.add(entry)
        firstStuck ??= entry
      }
    }
    return frames
  }

  /** What Xen checks when a domain maps a reference. @returns undefined if it may not */
  lookup(ref: number, mapper: number, writable: boolean): GrantEntry | undefined {
    const entry = this.#entries.get(ref)
    if (entry === undefined || entry.domid !== mapper) return undefined
    return writable && !entry.writable ? undefined : entry
  }

  #release(entry: GrantEntry): void {
    this.#entries.delete(entry.ref)
    this.#free.push(entry.ref)
  }
}
