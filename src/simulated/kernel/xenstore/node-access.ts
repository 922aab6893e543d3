import { Buffer } from 'node:buffer'
import { baseName, childPath, isNodePath, parentOf, upwards } from './node-paths.js'
import { type Identity, type Permission, Rights, rightsOf } from './node-permissions.js'
import type { NodeView } from './node-view.js'
import { Refusal } from './refusal.js'
import { type StoreNode, sizeOf, withChild, withoutChild } from './store-node.js'
import type { Rules } from './store-rules.js'

const NOTHING = Buffer.alloc(0)

/** The tree as one caller may see and change it, in a transaction or not. Paths are absolute. */
export class NodeAccess {
  readonly #view: NodeView
  readonly #caller: Identity
  readonly #rules: Rules

  constructor(view: NodeView, caller: Identity, rules: Rules) {
    this.#view = view
    this.#caller = caller
    this.#rules = rules
  }

  /** @throws Refusal EINVAL, ENOENT, EACCES */
  get(path: string, rights: number): StoreNode {
    const found = this.find(path, rights)
    if (found instanceof Refusal) throw found
    return found
  }

  /** @returns ENOENT only to those who may see that there is nothing. @throws Refusal EINVAL */
  find(path: string, rights: number): StoreNode | Refusal {
    if (!isNodePath(path, this.#rules.quotas.pathLength)) throw new Refusal('EINVAL')
    const node = this.#view.read(path)
    if (node !== undefined && (rightsOf(node.permissions, this.#caller) & rights) === rights) return node
    if (!this.#rules.hidesAbsence) return new Refusal(node === undefined ? 'ENOENT' : 'EACCES')
    const above = this.#existing(parentOf(path))
    const known = (rightsOf(above.permissions, this.#caller) & rights) !== 0
    return new Refusal(node === undefined && known ? 'ENOENT' : 'EACCES')
  }

  /** Writes a value, into a new node if there is none. @throws Refusal EINVAL, EACCES, ENOSPC */
  write(path: string, value: Buffer): void {
    if (this.#rules.flavour === 'ocaml' && value.length > this.#rules.quotas.nodeSize)
      throw new Refusal('E2BIG')
    const found = this.find(path, Rights.write)
    if (!(found instanceof Refusal)) this.#put(path, { ...found, value })
    else if (found.code === 'ENOENT') this.#create(path, value)
    else throw found
    this.#view.changed({ path, exact: false })
  }

  /** A node that exists stays as it is. @throws Refusal EINVAL, EACCES, ENOSPC */
  makeDirectory(path: string): void {
    if (path === '/' && this.#rules.flavour === 'ocaml') {
      // It lets everybody, and a transaction has written the root then, which is the same node as before.
      this.#view.store(path, this.#view.read(path)!)
      this.#view.changed({ path, exact: false })
      return
    }
    const found = this.find(path, Rights.write)
    if (!(found instanceof Refusal)) return
    if (found.code !== 'ENOENT') throw found
    this.#create(path, NOTHING)
    this.#view.changed({ path, exact: false })
  }

  /**
   * Removes a node and all below it. What is not there may be removed if its parent is there.
   * @throws Refusal EINVAL, EACCES, ENOENT
   */
  remove(path: string): void {
    const found = this.find(path, Rights.write)
    if (found instanceof Refusal) {
      if (found.code === 'ENOENT' && this.#view.read(parentOf(path)) !== undefined) return
      throw found
    }
    if (path === '/') {
      this.#removeAll(found)
      return
    }
    // A transaction may have read a node before its parent was removed outside, or its child. It cannot be committed then.
    const parent = this.#view.read(parentOf(path))
    if (parent === undefined) throw new Refusal('EINVAL')
    try {
      this.#removeTree(path, found, path)
    } catch (error) {
      // It can also touch too many nodes in the middle of this.
      if (error instanceof Refusal) throw new Refusal('EIO')
      throw error
    }
    this.#removeName(parentOf(path), parent, baseName(path))
  }

  /** @param permissions at least one. @throws Refusal EINVAL, EACCES, ENOENT, EPERM, ENOSPC */
  setPermissions(path: string, permissions: readonly Permission[]): void {
    const node = this.get(path, Rights.write | Rights.owner)
    const before = node.permissions[0]!.domid
    const after = permissions[0]!.domid
    if (!this.#caller.privileged && before !== after)
      throw new Refusal(this.#rules.flavour === 'c' ? 'EPERM' : 'EACCES')
    this.#view.count(before, -1)
    this.#view.count(after, 1)
    try {
      this.#put(path, { ...node, permissions })
    } catch (error) {
      this.#view.count(after, -1)
      this.#view.count(before, 1)
      throw error
    }
    this.#view.changed({ path, exact: false, previous: node.permissions })
  }

  /** Only oxenstored does. */
  #removeAll(root: StoreNode): void {
    if (this.#rules.flavour === 'c') throw new Refusal('EINVAL')
    for (const name of root.children) this.#removeTree(`/${name}`, this.#view.read(`/${name}`)!, '/')
    this.#put('/', { ...root, children: [], childBytes: 0 })
    this.#view.changed({ path: '/', exact: true, node: root })
  }

  /** Everything below first, so that each node can still be seen when its watches are told. */
  #removeTree(path: string, node: StoreNode, root: string): void {
    let left = node
    for (const name of node.children) {
      const child = childPath(path, name)
      const found = this.#view.read(child)
      if (found === undefined) throw new Refusal('EIO')
      this.#removeTree(child, found, root)
      left = this.#removeName(path, left, name)
    }
    this.#view.touch(path)
    this.#view.delete(path)
    this.#view.changed({ path, exact: path !== root, node })
    this.#view.count(node.permissions[0]!.domid, -1)
  }

  /** @returns what is left */
  #removeName(path: string, node: StoreNode, name: string): StoreNode {
    const left = withoutChild(node, name)
    if (left === undefined) throw new Refusal('EIO')
    this.#put(path, left, 'of any size')
    return left
  }

  /** With all that is missing above it. @throws Refusal ENOSPC */
  #create(path: string, value: Buffer): void {
    const missing: string[] = []
    let parent: StoreNode | undefined
    for (const at of upwards(path)) {
      if (missing.length > 0) parent = this.#view.read(at)
      if (parent !== undefined) break
      missing.push(at)
    }
    if (parent === undefined) throw new Refusal('ENOENT')
    if (!this.#rules.hidesAbsence && (rightsOf(parent.permissions, this.#caller) & Rights.write) === 0)
      throw new Refusal('EACCES')
    this.#view.created()
    // From the bottom up, as xenstored does: what has been made is unmade when the rest fails.
    const made: string[] = []
    const permissions = this.#inherited(parent.permissions)
    const owner = permissions[0]!.domid
    let child: string | undefined
    try {
      for (const at of missing) {
        if (!this.#caller.privileged && this.#view.owned(owner) >= this.#rules.quotas.nodes)
          throw new Refusal(this.#rules.tooMany)
        const empty = { value: NOTHING, children: [], childBytes: 0, permissions, generation: 0 }
        this.#put(at, child === undefined ? { ...empty, value } : withChild(empty, child))
        this.#view.count(owner, 1)
        made.push(at)
        child = baseName(at)
      }
      this.#put(parentOf(missing.at(-1)!), withChild(parent, child!))
    } catch (error) {
      for (const at of made) {
        this.#view.delete(at)
        this.#view.count(owner, -1)
        this.#view.spoil()
      }
      throw error
    }
  }

  #inherited(permissions: readonly Permission[]): readonly Permission[] {
    if (this.#caller.privileged || !this.#rules.creatorOwns) return permissions
    const [first, ...others] = permissions
    return [{ ...first!, domid: this.#caller.domid }, ...others]
  }

  /** @throws Refusal ENOSPC: too large for a guest */
  #put(path: string, node: StoreNode, limit?: 'of any size'): void {
    const generation = this.#view.touch(path)
    const limited = limit === undefined && !this.#caller.privileged && this.#rules.flavour === 'c'
    if (limited && sizeOf(node) >= this.#rules.quotas.nodeSize) {
      this.#view.spoil()
      throw new Refusal('ENOSPC')
    }
    this.#view.store(path, { ...node, generation })
  }

  /** The nearest node that exists, going up. */
  #existing(path: string): StoreNode {
    for (const at of upwards(path)) {
      const node = this.#view.read(at)
      if (node !== undefined) return node
    }
    throw new Refusal('EIO')
  }
}
