import { performance } from 'node:perf_hooks'
import type { DomainExists } from './domain-exists.js'
import type { StatusSlot } from './status-pages.js'

/** Pages taken back while the peer still mapped them: the kernel frees them late. */
export interface DeferredStats {
  /** Pages known to be deferred. Those of grants that were not offered with a status are not known. */
  pages: number
  /** Since the oldest of them was taken back, in milliseconds. */
  oldest: number
  /** How many of them the peer has unmapped meanwhile: the kernel frees these at `perSecond`. */
  draining: number
  /** Deferred pages the kernel looks at a second, of all processes. 0: without limit; undefined: not readable. */
  perSecond: number | undefined
}

interface Entry {
  pages: number
  since: number
  slot: StatusSlot
  releasedAt: number | undefined
}

/** The kernel's default of `grant_table.free_per_iteration`. */
const DEFAULT_PER_SECOND = 10

/** Counts and ages what this thread knows to be deferred. There is no way to ask the kernel. */
export class Deferred {
  #entries: Entry[] = []
  readonly #domainExists: DomainExists

  constructor(domainExists: DomainExists) {
    this.#domainExists = domainExists
  }

  add(pages: number, slot: StatusSlot): void {
    this.#entries.push({ pages, since: performance.now(), slot, releasedAt: undefined })
  }

  async stats(perSecond: number | undefined): Promise<DeferredStats> {
    await this.#lookForDomains()
    const now = performance.now()
    this.#drain(perSecond ?? DEFAULT_PER_SECOND, now)
    const sum = (entries: Entry[]): number => entries.reduce((total, { pages }) => total + pages, 0)
    return {
      pages: sum(this.#entries),
      oldest: this.#entries.length === 0 ? 0 : now - Math.min(...this.#entries.map(({ since }) => since)),
      draining: sum(this.#entries.filter(({ releasedAt }) => releasedAt !== undefined)),
      perSecond,
    }
  }

  /** A domain that has been destroyed maps nothing any more, and says nothing. */
  async #lookForDomains(): Promise<void> {
    const mapped = this.#entries.filter(({ slot }) => slot.state() === 'mapped')
    const domids = new Set(mapped.map(({ slot }) => slot.domid))
    await Promise.all(
      [...domids].map(async (domid) => {
        if ((await this.#domainExists(domid)) !== false) return
        for (const { slot } of mapped) if (slot.domid === domid) slot.domainGone()
      }),
    )
  }

  /** An entry is gone when the kernel has had the time to free its pages: a round of its timer, then by its rate. */
  #drain(perSecond: number, now: number): void {
    this.#entries = this.#entries.filter((entry) => {
      if (entry.releasedAt === undefined) {
        if (entry.slot.state() === 'mapped') return true
        entry.releasedAt = now
        void entry.slot.free()
      }
      const needed = 1000 + (perSecond === 0 ? 0 : (entry.pages / perSecond) * 1000)
      return now - entry.releasedAt < needed
    })
  }
}
