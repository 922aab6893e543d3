import { baseName, isSpecial, parentOf, upwards } from './node-paths.js'
import { type Permission, Rights, rightsOf } from './node-permissions.js'
import type { Change } from './node-view.js'
import type { StoreClient, Watch } from './store-client.js'
import type { StoreNode } from './store-node.js'
import type { Flavour } from './store-rules.js'

/** An event on its way to the connection of a watch. */
export interface WatchEvent {
  readonly connection: StoreClient
  readonly path: string
  readonly token: string
}

/** All watches. */
export class WatchRegistry {
  readonly #byPath = new Map<string, Set<Watch>>()
  readonly #read: (path: string) => StoreNode | undefined
  readonly #tell: (event: WatchEvent) => void
  #last = 0

  /**
   * @param read a node as it is outside of transactions
   * @param tell is given each event
   */
  constructor(read: (path: string) => StoreNode | undefined, tell: (event: WatchEvent) => void) {
    this.#read = read
    this.#tell = tell
  }

  find({ watches }: StoreClient, path: string, token: string): Watch | undefined {
    for (const watch of watches) if (watch.path === path && watch.token === token) return watch
    return undefined
  }

  add(connection: StoreClient, path: string, token: string, base: string | undefined): Watch {
    const watch = { connection, path, token, base, order: this.#last++ }
    const others = this.#byPath.get(path)
    if (others) others.add(watch)
    else this.#byPath.set(path, new Set([watch]))
    connection.watches.add(watch)
    if (connection.domain) connection.domain.watches++
    return watch
  }

  remove(watch: Watch): void {
    const { connection, path } = watch
    if (!connection.watches.delete(watch)) return
    if (connection.domain) connection.domain.watches--
    const others = this.#byPath.get(path)
    others?.delete(watch)
    if (others?.size === 0) this.#byPath.delete(path)
  }

  removeAll({ watches }: StoreClient): void {
    for (const watch of [...watches]) this.remove(watch)
  }

  /** The event that tells that a watch has been set. */
  tellFirst(watch: Watch): void {
    this.#send(watch, watch.path)
  }

  /**
   * A change of nodes. Told are those who may read the node or its parent.
   * @param flavour oxenstored tells of no change of the root itself, and of what is removed also those who watch what has
   *   never been below it
   */
  tellChange(change: Change, flavour: Flavour): void {
    if (flavour === 'ocaml') {
      if (change.node !== undefined) this.#tellAbsent(change.path, change.node)
      if (change.path === '/') return
    }
    const permitted = new Map<StoreClient, boolean>()
    for (const watch of this.#affected(change)) {
      const { connection } = watch
      const may = permitted.get(connection) ?? this.#maySee(connection, change, flavour)
      permitted.set(connection, may)
      if (may) this.#send(watch, change.path)
    }
  }

  #tellAbsent(path: string, { children, permissions }: StoreNode): void {
    for (const [below, watches] of this.#byPath) {
      if (isSpecial(below) || below === '/' || parentOf(below) !== path) continue
      if (children.includes(baseName(below))) continue
      for (const watch of watches) if (canRead(permissions, watch.connection)) this.#send(watch, below)
    }
  }

  /** @param permissions of the event: who may read it is told */
  tellSpecial(name: string, permissions: readonly Permission[]): void {
    for (const watch of this.#affected({ path: name, exact: true }))
      if (canRead(permissions, watch.connection)) this.#send(watch, name)
  }

  #affected({ path, exact }: Change): Watch[] {
    if (exact) return [...(this.#byPath.get(path) ?? [])]
    const found: Watch[] = []
    for (const at of upwards(path)) found.push(...(this.#byPath.get(at) ?? []))
    return found.sort((a, b) => a.order - b.order)
  }

  #maySee(connection: StoreClient, { path, node, previous }: Change, flavour: Flavour): boolean {
    if (previous !== undefined && canRead(previous, connection)) return true
    const changed = node ?? this.#read(path)
    // It was removed later in the same transaction.
    if (changed === undefined && flavour === 'c') return false
    if (changed !== undefined && canRead(changed.permissions, connection)) return true
    const parent = this.#read(parentOf(path))
    return parent !== undefined && canRead(parent.permissions, connection)
  }

  #send({ connection, token, base }: Watch, path: string): void {
    const shown = base !== undefined ? path.slice(base.length + 1) : path
    this.#tell({ connection, path: shown, token })
  }
}

function canRead(permissions: readonly Permission[], connection: StoreClient): boolean {
  return (rightsOf(permissions, connection) & Rights.read) !== 0
}
