import type { GrantHandle } from 'xen-grants'

/** The server under test, and the driver below it. */
export const MAX_PAGES = 120
export const MAX_PAGES_PER_DOMAIN = 60
export const DOMAINS = [1, 2, 7]
export const LIMITS = [20, 70, 100, 124, 1000]

export interface ModelGrant {
  readonly handle: GrantHandle
  readonly id: number
  readonly domid: number
  readonly pages: number
  readonly writable: boolean
  readonly refs: Uint32Array
  /** Number of the party that shared it; undefined once its thread has died. */
  owner: number | undefined
  /** Parties with a lease. */
  readonly holders: Set<number>
  /** What every byte of a page is. */
  readonly content: number[]
  /** An unshare waits for the leases of others. */
  unsharing: boolean
  /** Pages whose notification is armed. */
  readonly armed: Set<number>
  /** Its owner's thread died: what is armed fires when its pages go. */
  fires?: boolean
  /** Its worker died: nobody has scrubbed it. */
  lost?: boolean
}

/** A share that may have to wait. */
export interface Wish {
  readonly party: number
  readonly domid: number
  readonly pages: number
}

type Verdict = 'granted' | 'quota' | 'limit'

/** What must be so, in the words of the documentation and without any of its machinery. */
export class Model {
  limit = 1000
  reserve = 0
  readonly grants = new Map<number, ModelGrant>()
  /** In the order in which they came. */
  readonly waiting: Wish[] = []
  /** Events that notifications have sent. */
  fired = 0
  steps = 0

  get used(): number {
    return this.#sum([...this.grants.values()])
  }

  usedBy(domid: number): number {
    return this.#sum([...this.grants.values()].filter((grant) => grant.domid === domid))
  }

  #sum(grants: ModelGrant[]): number {
    return grants.reduce((sum, { pages }) => sum + pages, 0)
  }

  /** Whether there can ever be room. */
  possible({ pages }: { pages: number }): boolean {
    return pages <= MAX_PAGES && pages <= MAX_PAGES_PER_DOMAIN
  }

  /** What becomes of each of these, were they considered now: nobody passes on what another waits for. */
  verdicts(wishes: readonly Wish[]): Verdict[] {
    let blocked = false
    const blockedDomains = new Set<number>()
    let used = this.used
    const usedBy = new Map(DOMAINS.map((domid) => [domid, this.usedBy(domid)]))
    return wishes.map(({ domid, pages }) => {
      if (blocked || blockedDomains.has(domid)) return 'quota'
      if ((usedBy.get(domid) ?? 0) + pages > MAX_PAGES_PER_DOMAIN) {
        blockedDomains.add(domid)
        return 'quota'
      }
      if (used + pages > MAX_PAGES) {
        blocked = true
        return 'quota'
      }
      if (used + this.reserve + pages > this.limit) {
        blocked = true
        return 'limit'
      }
      used += pages
      usedBy.set(domid, (usedBy.get(domid) ?? 0) + pages)
      return 'granted'
    })
  }

  /** A lease has gone. */
  dropHolder(grant: ModelGrant, party: number): void {
    grant.holders.delete(party)
    if (!grant.unsharing || grant.holders.size > 0) return
    this.grants.delete(grant.id)
    if (grant.fires) this.fired += grant.armed.size
  }

  /** A party's thread has died. */
  bury(party: number): void {
    for (const grant of [...this.grants.values()]) {
      if (grant.owner === party) {
        grant.owner = undefined
        // What its owner had wanted back in order goes in order.
        grant.fires = !grant.unsharing
        grant.unsharing = true
      }
      this.dropHolder(grant, party)
    }
    for (const wish of this.waiting.filter((wish) => wish.party === party)) this.forget(wish)
  }

  forget(wish: Wish): void {
    const at = this.waiting.indexOf(wish)
    if (at >= 0) this.waiting.splice(at, 1)
  }
}
