import { NodeAccess } from './node-access.js'
import { childPath } from './node-paths.js'
import type { Permission } from './node-permissions.js'
import type { NodeStore } from './node-store.js'
import { Refusal } from './refusal.js'
import type { StoreClient } from './store-client.js'
import type { StoreDomain } from './store-domains.js'
import type { Rules } from './store-rules.js'
import type { WatchRegistry } from './watch-registry.js'

const NOBODY_ELSE: readonly Permission[] = [{ domid: 0, read: false, write: false, ignored: false }]
/** xenstored itself. */
const ITSELF = { domid: 0, privileged: true, target: undefined }

/** Connections and domains that come and go, and the events that tell of it. */
export class DomainLife {
  readonly #store: NodeStore
  readonly #watches: WatchRegistry
  readonly #rules: Rules
  readonly #connections = new Set<StoreClient>()
  /** Permissions of the two special events. */
  readonly #special = new Map([
    ['@introduceDomain', NOBODY_ELSE],
    ['@releaseDomain', NOBODY_ELSE],
  ])

  constructor(store: NodeStore, watches: WatchRegistry, rules: Rules) {
    this.#store = store
    this.#watches = watches
    this.#rules = rules
  }

  get connections(): ReadonlySet<StoreClient> {
    return this.#connections
  }

  add(connection: StoreClient): void {
    this.#connections.add(connection)
  }

  /** The transport has gone. */
  remove(connection: StoreClient): void {
    if (!this.#connections.delete(connection)) return
    this.#reset(connection)
  }

  specialPermissions(name: string): readonly Permission[] | undefined {
    return this.#special.get(name)
  }

  setSpecialPermissions(name: string, permissions: readonly Permission[]): void {
    this.#special.set(name, permissions)
  }

  /**
   * Its ring is mapped, and its requests are served. A domain that has been introduced begins anew, without an event.
   * @throws Refusal EINVAL: there is no such domain
   */
  introduce(domid: number): void {
    const domain = this.#store.domains.findExisting(domid)
    if (domain === undefined) throw new Refusal('EINVAL')
    if (!domain.introduced) {
      domain.introduced = true
      domain.shutdown = false
      this.#tell('@introduceDomain')
    }
    for (const connection of this.#of(domain)) {
      this.#reset(connection)
      connection.outbox.clear()
    }
  }

  /** A domain has shut down or crashed, and is still there. That is told once, until it is resumed. */
  shutDown(domid: number): void {
    const domain = this.#store.domains.introduced(domid)
    if (domain === undefined || domain.shutdown) return
    domain.shutdown = true
    this.#tell('@releaseDomain')
  }

  /** A domain has gone. One whose rights another has is kept as long as that one. */
  died(domid: number): void {
    const domain = this.#store.domains.find(domid)
    if (domain === undefined) return
    this.#end(domain)
    if (domain.holders.size > 0) domain.dead = true
    else this.release(domain)
  }

  /** Nothing is left of it: what it owns goes, with everything below, wherever it is. */
  release(domain: StoreDomain): void {
    this.#end(domain)
    this.setTarget(domain, undefined)
    for (const holder of domain.holders) holder.target = undefined
    if (this.#rules.knowsDomains) {
      if (domain.nodes > 0) this.#removeOwned('/', domain.domid)
    } else this.#forgetDomid('/', domain.domid)
    for (const [name, [first, ...others]] of this.#special)
      this.#special.set(name, [
        first!.domid === domain.domid ? { ...first!, domid: 0 } : first!,
        ...others.filter(({ domid }) => domid !== domain.domid),
      ])
    this.#store.domains.forget(domain)
    if (domain.introduced) this.#tell('@releaseDomain')
  }

  setTarget(domain: StoreDomain, target: StoreDomain | undefined): void {
    const before = domain.target
    domain.target = target
    if (target !== domain) target?.holders.add(domain)
    if (before === undefined || before === target) return
    before.holders.delete(domain)
    if (before.dead && before.holders.size === 0) this.release(before)
  }

  #end(domain: StoreDomain): void {
    for (const connection of this.#of(domain)) {
      this.remove(connection)
      connection.hangUp()
    }
  }

  #reset(connection: StoreClient): void {
    this.#watches.removeAll(connection)
    connection.endTransactions()
  }

  #of(domain: StoreDomain): StoreClient[] {
    return [...this.#connections].filter((connection) => connection.domain === domain)
  }

  #tell(name: string): void {
    const node = this.#rules.flavour === 'ocaml' ? this.#store.read(`/${name}`) : undefined
    this.#watches.tellSpecial(name, node?.permissions ?? this.#special.get(name)!)
  }

  /** As oxenstored does: nobody is told of the nodes, and no permission names the domain any more. */
  #forgetDomid(path: string, domid: number): void {
    const node = this.#store.read(path)!
    const left: string[] = []
    for (const name of node.children) {
      const child = childPath(path, name)
      if (this.#store.read(child)!.permissions[0]!.domid === domid) this.#drop(child)
      else {
        this.#forgetDomid(child, domid)
        left.push(name)
      }
    }
    const permissions = node.permissions.filter((entry, i) => i === 0 || entry.domid !== domid)
    const childBytes = left.reduce((sum, name) => sum + name.length + 1, 0)
    this.#store.store(path, { ...node, children: left, childBytes, permissions })
  }

  #drop(path: string): void {
    const { children, permissions } = this.#store.read(path)!
    for (const name of children) this.#drop(childPath(path, name))
    this.#store.delete(path)
    this.#store.count(permissions[0]!.domid, -1)
  }

  #removeOwned(path: string, domid: number): void {
    const node = this.#store.read(path)
    if (node === undefined) return
    const access = new NodeAccess(this.#store, ITSELF, this.#rules)
    const [first, ...others] = node.permissions
    if (first!.domid === domid && path !== '/') {
      access.remove(path)
      return
    }
    // The root stays, whoever owned it.
    if (first!.domid === domid) access.setPermissions(path, [{ ...first!, domid: 0 }, ...others])
    for (const name of node.children) this.#removeOwned(childPath(path, name), domid)
  }
}
