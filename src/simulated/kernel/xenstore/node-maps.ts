import { baseName, parentOf, upwards } from './node-paths.js'
import { formatPermission } from './node-permissions.js'
import { type StoreNode, withChild } from './store-node.js'

/** All nodes by their paths, as they were at some time. */
export type NodeMap = ReadonlyMap<string, StoreNode>

/** Whether a node and all below it are the same ones in both: written nodes are others, also with the same value. */
export function isSameTree(path: string, one: NodeMap, other: NodeMap): boolean {
  const [mine, theirs] = [[...treeOf(path, one)], [...treeOf(path, other)]]
  return mine.length === theirs.length && mine.every(([at, node]) => other.get(at) === node)
}

/** Whether the permissions of the node and of all above it are the same in both. */
export function areSameRights(path: string, one: NodeMap, other: NodeMap): boolean {
  for (const at of upwards(path)) if (rightsIn(at, one) !== rightsIn(at, other)) return false
  return true
}

/** @returns `into` with the node and all below it as they are in `from` */
export function transplant(path: string, from: NodeMap, into: NodeMap): Map<string, StoreNode> {
  const result = new Map(into)
  for (const [at] of [...treeOf(path, into)]) result.delete(at)
  for (const [at, node] of treeOf(path, from)) result.set(at, node)
  const parent = result.get(parentOf(path))
  if (path !== '/' && parent !== undefined && !into.has(path) && from.has(path))
    result.set(parentOf(path), withChild(parent, baseName(path)))
  return result
}

function* treeOf(path: string, nodes: NodeMap): Generator<[path: string, node: StoreNode]> {
  const below = path === '/' ? '/' : `${path}/`
  for (const entry of nodes) if (entry[0] === path || entry[0].startsWith(below)) yield entry
}

function rightsIn(path: string, nodes: NodeMap): string | undefined {
  return nodes.get(path)?.permissions.map(formatPermission).join()
}
