import type { Change, NodeView } from './node-view.js'
import { Refusal } from './refusal.js'
import { type Hypervisor, StoreDomains } from './store-domains.js'
import type { StoreNode } from './store-node.js'

/** All nodes by their paths. Seen outside of transactions. */
export class NodeStore implements NodeView {
  readonly #nodes = new Map<string, StoreNode>()
  /** Who owns them, and whom permissions name. */
  readonly domains: StoreDomains
  readonly #tell: (change: Change) => void
  /** Goes up with every change and every transaction, so that no two have the same. */
  #generation = 0

  /** @param tell is told of each change */
  constructor(hypervisor: Hypervisor, tell: (change: Change) => void) {
    this.domains = new StoreDomains(hypervisor, () => this.#generation)
    this.#tell = tell
  }

  /** How many there are. */
  get size(): number {
    return this.#nodes.size
  }

  nextGeneration(): number {
    return ++this.#generation
  }

  read(path: string): StoreNode | undefined {
    const node = this.#nodes.get(path)
    return node && this.domains.current(node)
  }

  touch(): number {
    return this.nextGeneration()
  }

  store(path: string, node: StoreNode): void {
    this.#nodes.set(path, this.domains.current(node))
  }

  delete(path: string): void {
    this.#nodes.delete(path)
  }

  count(owner: number, difference: number): void {
    const domain = this.domains.findExisting(owner)
    if (domain === undefined) throw new Refusal('ENOMEM')
    domain.nodes += difference
  }

  changed(change: Change): void {
    this.#tell(change)
  }

  created(): void {}

  spoil(): void {}
}
