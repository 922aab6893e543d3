import type { Change, NodeView } from './node-view.js'
import { Refusal } from './refusal.js'
import { type Hypervisor, StoreDomains } from './store-domains.js'
import type { StoreNode } from './store-node.js'
import type { Rules } from './store-rules.js'

/** All nodes by their paths. Seen outside of transactions. */
export class NodeStore implements NodeView {
  #nodes = new Map<string, StoreNode>()
  readonly #rules: Rules
  /** Who owns them, and whom permissions name. */
  readonly domains: StoreDomains
  readonly #tell: (change: Change) => void
  /** Goes up with every change and every transaction, so that no two have the same. */
  #generation = 0

  /** @param tell is told of each change */
  constructor(hypervisor: Hypervisor, rules: Rules, tell: (change: Change) => void) {
    this.domains = new StoreDomains(hypervisor, rules, () => this.#generation)
    this.#rules = rules
    this.#tell = tell
  }

  /** All of it as it is now. */
  copy(): Map<string, StoreNode> {
    return new Map(this.#nodes)
  }

  /** @param nodes from now on these */
  replace(nodes: Map<string, StoreNode>): void {
    this.#nodes = nodes
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

  owned(owner: number): number {
    return this.domains.find(owner)?.nodes ?? 0
  }

  count(owner: number, difference: number): void {
    const domain = this.domains.findExisting(owner)
    if (domain !== undefined) domain.nodes += difference
    else if (this.#rules.knowsDomains) throw new Refusal('ENOMEM')
  }

  changed(change: Change): void {
    this.#tell(change)
  }

  created(): void {}

  spoil(): void {}
}
