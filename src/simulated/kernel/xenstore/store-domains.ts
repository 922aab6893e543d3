import type { Permission } from './node-permissions.js'
import type { StoreNode } from './store-node.js'
import type { Rules } from './store-rules.js'

/** What xenstored asks the hypervisor. */
export interface Hypervisor {
  /** Whether there is a domain of this number, introduced or not. */
  exists(domid: number): boolean
}

/** What xenstored keeps of a domain: of one that was introduced, or that a permission names. */
export class StoreDomain {
  readonly domid: number
  /** Of the store when the domain became known: what nodes older than that say of its number is meant for another. */
  readonly generation: number
  introduced = false
  /** That it has shut down has been told. */
  shutdown = false
  /** It has died, and is kept because another has its rights. */
  dead = false
  nodes = 0
  watches = 0
  transactions = 0
  target: StoreDomain | undefined
  /** Those that have this one as their target. */
  readonly holders = new Set<StoreDomain>()

  constructor(domid: number, generation: number) {
    this.domid = domid
    this.generation = generation
  }
}

export class StoreDomains {
  readonly #hypervisor: Hypervisor
  readonly #rules: Rules
  readonly #generation: () => number
  readonly #known = new Map<number, StoreDomain>()

  /** @param generation of the store now */
  constructor(hypervisor: Hypervisor, rules: Rules, generation: () => number) {
    this.#hypervisor = hypervisor
    this.#rules = rules
    this.#generation = generation
  }

  [Symbol.iterator](): Iterator<StoreDomain> {
    return this.#known.values()
  }

  find(domid: number): StoreDomain | undefined {
    return this.#known.get(domid)
  }

  introduced(domid: number): StoreDomain | undefined {
    const domain = this.#known.get(domid)
    return domain?.introduced ? domain : undefined
  }

  /** @returns undefined if there is no such domain */
  findExisting(domid: number): StoreDomain | undefined {
    const known = this.#known.get(domid)
    if (known !== undefined || !this.#hypervisor.exists(domid)) return known
    const domain = new StoreDomain(domid, this.#generation())
    this.#known.set(domid, domain)
    return domain
  }

  forget({ domid }: StoreDomain): void {
    this.#known.delete(domid)
  }

  /** Entries that name no domain there is now will not count for a later one of that number. */
  mark(permissions: readonly Permission[]): readonly Permission[] {
    if (!this.#rules.knowsDomains) return permissions
    return permissions.map((entry) => ({ ...entry, ignored: this.findExisting(entry.domid) === undefined }))
  }

  /** The node with those entries marked that are meant for a domain that has gone. The owner is not one of them. */
  current(node: StoreNode): StoreNode {
    const stale = (entry: Permission, i: number) =>
      i > 0 && !entry.ignored && !this.#isAsOld(entry.domid, node.generation)
    if (!this.#rules.knowsDomains || node.permissions.length === 1 || !node.permissions.some(stale))
      return node
    const permissions = node.permissions.map((entry, i) =>
      stale(entry, i) ? { ...entry, ignored: true } : entry,
    )
    return { ...node, permissions }
  }

  #isAsOld(domid: number, generation: number): boolean {
    const domain = this.#known.get(domid)
    return domain !== undefined && domain.generation <= generation
  }
}
