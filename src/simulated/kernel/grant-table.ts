import type { FramePool } from './frames.js'

/** References 0 to 7 are the toolstack's, so that 0 can stand for "none". */
export const RESERVED_ENTRIES = 8

export interface GrantEntry {
  readonly table: GrantTable
  readonly ref: number
  /** The only domain that may map it. */
  readonly domid: number
  readonly frame: number
  readonly writable: boolean
  /** How often peers have it mapped now. */
  foreignMaps: number
}

/** Finds the grant table of a domain. */
export interface TableDirectory {
  /** @returns undefined if there is no such domain (any more) */
  tableOf(domid: number): GrantTable | undefined
}

/**
 * The grant table (version 1) of one domain: entries, the free list, and the entries whose end had to be deferred because
 * a peer still had them mapped. A frame goes back to the pool with its entry.
 */
export class GrantTable {
  readonly capacity: number
  readonly #frames: FramePool
  readonly #entries = new Map<number, GrantEntry>()
  /** Last in, first out, as in Linux. References above `#fresh` have never been used. */
  readonly #free: number[] = []
  #fresh = RESERVED_ENTRIES
  /** In the order of the next retry. */
  readonly #deferred = new Set<GrantEntry>()
  #abandoned = false

  constructor(capacity: number, frames: FramePool) {
    this.capacity = capacity
    this.#frames = frames
  }

  [Symbol.iterator](): Iterator<GrantEntry> {
    return this.#entries.values()
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
    const entry: GrantEntry = { table: this, ref, domid, frame, writable, foreignMaps: 0 }
    this.#entries.set(ref, entry)
    return entry
  }

  /**
   * Ends access. While a peer has the page mapped the entry stays as it is, so that the peer can even map it once more:
   * it is only queued for `retry`.
   */
  end(entries: Iterable<GrantEntry>): void {
    const unmapped: GrantEntry[] = []
    for (const entry of entries) {
      if (entry.foreignMaps > 0) this.#deferred.add(entry)
      else unmapped.push(entry)
    }
    this.#release(unmapped)
  }

  /**
   * One round over the deferred entries: those no longer mapped are released, the others go to the end of the queue and
   * have used up a part of the budget too.
   * @param budget entries looked at, at most; 0 means each one once
   * @returns how many were released
   */
  retry(budget: number): number {
    const unmapped: GrantEntry[] = []
    let looked = 0
    let firstStuck: GrantEntry | undefined
    // An entry added during the iteration is visited too, after all others: that is the round robin.
    for (const entry of this.#deferred) {
      if (entry === firstStuck || (budget > 0 && looked === budget)) break
      looked++
      this.#deferred.delete(entry)
      if (entry.foreignMaps === 0) {
        unmapped.push(entry)
      } else {
        this.#deferred.add(entry)
        firstStuck ??= entry
      }
    }
    this.#release(unmapped)
    return unmapped.length
  }

  /** What Xen checks when a domain maps a reference. @returns undefined if it may not */
  lookup(ref: number, mapper: number, writable: boolean): GrantEntry | undefined {
    const entry = this.#entries.get(ref)
    if (entry === undefined || entry.domid !== mapper) return undefined
    return writable && !entry.writable ? undefined : entry
  }

  /** A peer has unmapped an entry of this table once. */
  unmapped(entry: GrantEntry): void {
    entry.foreignMaps--
    if (!this.#abandoned || entry.foreignMaps > 0) return
    this.#deferred.delete(entry)
    this.#release([entry])
  }

  /**
   * Its domain has been destroyed, and all grants have been ended: no kernel is left to look at the deferred entries. Xen
   * frees each page itself when its last mapping goes.
   */
  abandon(): void {
    this.retry(0)
    this.#abandoned = true
  }

  #release(entries: readonly GrantEntry[]): void {
    for (const { ref } of entries) {
      this.#entries.delete(ref)
      this.#free.push(ref)
    }
    this.#frames.release(entries.map(({ frame }) => frame))
  }
}
