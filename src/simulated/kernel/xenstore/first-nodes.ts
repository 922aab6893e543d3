import { Buffer } from 'node:buffer'
import type { NodeStore } from './node-store.js'
import type { Flavour } from './store-rules.js'

/** The nodes from the start, each with its children. */
const FIRST_NODES: Record<Flavour, readonly (readonly [path: string, ...children: string[]])[]> = {
  c: [['/', 'tool'], ['/tool', 'xenstored'], ['/tool/xenstored']],
  ocaml: [
    ['/', 'tool', 'local', '@introduceDomain', '@releaseDomain'],
    ['/tool', 'xenstored'],
    ['/tool/xenstored'],
    ['/local'],
    ['/@introduceDomain'],
    ['/@releaseDomain'],
  ],
}

export function makeFirstNodes(store: NodeStore, flavour: Flavour): void {
  const permissions = [{ domid: 0, read: false, write: false, ignored: false }]
  for (const [path, ...children] of FIRST_NODES[flavour]) {
    const childBytes = children.reduce((sum, name) => sum + name.length + 1, 0)
    const generation = store.nextGeneration()
    store.store(path, { value: Buffer.alloc(0), children, childBytes, permissions, generation })
    store.count(0, 1)
  }
}
