import type { Buffer } from 'node:buffer'
import type { Permission } from './node-permissions.js'

/** A node as it was at some time: changing one puts another in its place. */
export interface StoreNode {
  readonly value: Buffer
  /** In the order in which they were created. */
  readonly children: readonly string[]
  /** Bytes of their names, each with a NUL. */
  readonly childBytes: number
  /** At least one. */
  readonly permissions: readonly Permission[]
  /** That of the store when it was last written. */
  readonly generation: number
}

/** The generation of a node that does not exist. */
export const ABSENT = -1

/** `struct xs_tdb_record_hdr` of xenstored, and an entry of its permissions. */
const HEADER_BYTES = 24
const PERMISSION_BYTES = 8

/** What a node counts for the limit on its size. */
export function sizeOf({ value, permissions, childBytes }: StoreNode): number {
  return HEADER_BYTES + permissions.length * PERMISSION_BYTES + value.length + childBytes
}

export function withChild(node: StoreNode, name: string): StoreNode {
  return { ...node, children: [...node.children, name], childBytes: node.childBytes + name.length + 1 }
}

/** Without the first child of that name. @returns undefined if there is none */
export function withoutChild(node: StoreNode, name: string): StoreNode | undefined {
  const at = node.children.indexOf(name)
  if (at < 0) return undefined
  const children = node.children.toSpliced(at, 1)
  return { ...node, children, childBytes: node.childBytes - name.length - 1 }
}
