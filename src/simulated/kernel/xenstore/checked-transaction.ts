import type { Permission } from './node-permissions.js'
import type { NodeStore } from './node-store.js'
import type { Change, StoreTransaction } from './node-view.js'
import { Refusal } from './refusal.js'
import { ABSENT, type StoreNode } from './store-node.js'
import type { Rules } from './store-rules.js'

/** A node that a transaction has read: from then on it has a copy of its own. */
interface Touched {
  /** Of the node when it was first read. It has to be the same at the end. */
  readonly generation: number
  /** Its permissions then. */
  readonly permissions: readonly Permission[] | undefined
  node: StoreNode | undefined
  modified: boolean
  /** Its watches are to be told at the end; `exact` as in {@link Change}. */
  event: { exact: boolean } | undefined
}

/**
 * A transaction of xenstored: it fails if any node that it has touched has changed meanwhile, read or written, present or
 * not. Every write reads first.
 */
export class CheckedTransaction implements StoreTransaction {
  readonly #store: NodeStore
  readonly #rules: Rules
  readonly #privileged: boolean
  /** In the order in which they were first touched. */
  readonly #touched = new Map<string, Touched>()
  /** How many nodes more or fewer each domain owns. */
  readonly #counts = new Map<number, number>()
  #created = false
  #spoiled = false

  /** @param privileged nobody counts what it touches */
  constructor(store: NodeStore, rules: Rules, privileged: boolean) {
    this.#store = store
    this.#rules = rules
    this.#privileged = privileged
    store.nextGeneration()
  }

  read(path: string): StoreNode | undefined {
    const touched = this.#touched.get(path)
    if (touched !== undefined) return touched.node && this.#store.domains.current(touched.node)
    if (!this.#privileged && this.#touched.size >= this.#rules.quotas.transactionNodes) {
      this.spoil()
      throw new Refusal(this.#rules.tooMany)
    }
    const node = this.#store.read(path)
    this.#touched.set(path, {
      generation: node?.generation ?? ABSENT,
      permissions: node?.permissions,
      node,
      modified: false,
      event: undefined,
    })
    return node
  }

  touch(path: string): number {
    this.#get(path).modified = true
    return this.#store.nextGeneration()
  }

  store(path: string, node: StoreNode): void {
    this.#get(path).node = this.#store.domains.current(node)
  }

  delete(path: string): void {
    this.#get(path).node = undefined
  }

  /** As it was before. */
  owned(owner: number): number {
    return this.#store.owned(owner)
  }

  count(owner: number, difference: number): void {
    this.#counts.set(owner, (this.#counts.get(owner) ?? 0) + difference)
  }

  changed({ path, exact }: Change): void {
    const touched = this.#get(path)
    touched.event = { exact: exact && (touched.event?.exact ?? true) }
  }

  created(): void {
    this.#created = true
  }

  spoil(): void {
    this.#spoiled = true
  }

  begin(): void {}

  done(): void {}

  commit(): void {
    if (this.#spoiled) throw new Refusal('ENOMEM')
    this.#checkCounts()
    for (const [path, { generation }] of this.#touched)
      if ((this.#store.read(path)?.generation ?? ABSENT) !== generation) throw new Refusal('EAGAIN')
    for (const [path, touched] of this.#touched) if (touched.modified) this.#apply(path, touched)
    for (const [owner, difference] of this.#counts) this.#store.count(owner, difference)
  }

  #checkCounts(): void {
    for (const [owner, difference] of this.#counts) {
      const domain = this.#store.domains.findExisting(owner)
      if (domain === undefined) throw new Refusal('ENOMEM')
      const limited = this.#created && !this.#privileged && owner !== 0
      if (limited && domain.nodes + difference >= this.#rules.quotas.nodes)
        throw new Refusal(this.#rules.tooMany)
    }
  }

  #apply(path: string, { node, permissions, event }: Touched): void {
    if (node === undefined) this.#store.delete(path)
    else this.#store.store(path, { ...node, generation: this.#store.nextGeneration() })
    if (event === undefined) return
    this.#store.changed({ path, exact: event.exact, ...(permissions && { previous: permissions }) })
  }

  /** What is written has been read. */
  #get(path: string): Touched {
    this.read(path)
    return this.#touched.get(path)!
  }
}
