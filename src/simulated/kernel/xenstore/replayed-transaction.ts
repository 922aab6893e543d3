import type { NodeStore } from './node-store.js'
import type { Change, StoreTransaction, TransactionRequest } from './node-view.js'
import { Refusal } from './refusal.js'
import type { StoreNode } from './store-node.js'
import type { Rules } from './store-rules.js'

/** Carries out a request in a transaction, and tells how it is answered. */
export type Perform = (view: StoreTransaction, request: TransactionRequest) => string

/**
 * A transaction of oxenstored: a copy of all nodes. At its end everything is done again with the nodes as they are then,
 * and it fails if any request is answered in another way than before. One that has changed nothing does not fail.
 */
export class ReplayedTransaction implements StoreTransaction {
  readonly #store: NodeStore
  readonly #rules: Rules
  readonly #privileged: boolean
  readonly #perform: Perform
  readonly #nodes: Map<string, StoreNode>
  readonly #counts = new Map<number, number>()
  readonly #changes: Change[] = []
  readonly #requests: (TransactionRequest & { answer: string })[] = []

  /** @param privileged nobody counts what it asks for */
  constructor(store: NodeStore, rules: Rules, privileged: boolean, perform: Perform) {
    this.#store = store
    this.#rules = rules
    this.#privileged = privileged
    this.#perform = perform
    this.#nodes = store.copy()
  }

  read(path: string): StoreNode | undefined {
    return this.#nodes.get(path)
  }

  touch(): number {
    return 0
  }

  store(path: string, node: StoreNode): void {
    this.#nodes.set(path, node)
  }

  delete(path: string): void {
    this.#nodes.delete(path)
  }

  owned(owner: number): number {
    return this.#store.owned(owner) + (this.#counts.get(owner) ?? 0)
  }

  count(owner: number, difference: number): void {
    this.#counts.set(owner, (this.#counts.get(owner) ?? 0) + difference)
  }

  changed(change: Change): void {
    this.#changes.push(change)
  }

  created(): void {}

  spoil(): void {}

  begin(): void {
    if (!this.#privileged && this.#requests.length >= this.#rules.quotas.transactionNodes)
      throw new Refusal(this.#rules.tooMany)
  }

  done(request: TransactionRequest, answer: string): void {
    this.#requests.push({ ...request, answer })
  }

  commit(): void {
    if (this.#changes.length === 0) return
    const again = new ReplayedTransaction(this.#store, this.#rules, true, this.#perform)
    for (const { answer, ...request } of this.#requests)
      if (this.#perform(again, request) !== answer) throw new Refusal('EAGAIN')
    this.#store.replace(again.#nodes)
    for (const [owner, difference] of again.#counts) this.#store.count(owner, difference)
    for (const change of again.#changes) this.#store.changed(change)
  }
}
