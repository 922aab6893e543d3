import type { Buffer } from 'node:buffer'
import type { Permission } from './node-permissions.js'
import type { StoreNode } from './store-node.js'

/** What watches are told of: a node was written, created or removed, or its permissions were set. */
export interface Change {
  readonly path: string
  /** Only those who watch this very path are told: what is removed with a node above it. */
  readonly exact: boolean
  /** The node, for one that is not in the store any more. */
  readonly node?: StoreNode
  /** Permissions from before the change: whoever could read the node by them is told as well. */
  readonly previous?: readonly Permission[]
}

/** The nodes as one request sees them: the store itself, or a transaction. */
export interface NodeView {
  /** @throws Refusal the transaction has touched as many nodes as it may */
  read(path: string): StoreNode | undefined
  /** Announces that a node is about to be written. @returns the generation it gets */
  touch(path: string): number
  store(path: string, node: StoreNode): void
  delete(path: string): void
  /** How many nodes a domain owns. */
  owned(owner: number): number
  /** Nodes that a domain owns have become more or fewer. @throws Refusal ENOMEM: there is no such domain */
  count(owner: number, difference: number): void
  changed(change: Change): void
  /** A node has been created. */
  created(): void
  /** What was begun could not be finished: a transaction cannot be committed any more. */
  spoil(): void
}

/** A view of its own, until it is committed. */
export interface StoreTransaction extends NodeView {
  /**
   * A request in it is about to be carried out.
   * @throws Refusal EQUOTA: it is one too many
   */
  begin(): void
  /** One has been, and was answered so. */
  done(request: TransactionRequest, answer: string, refused: boolean): void
  /** @throws Refusal EAGAIN: to be repeated. ENOMEM, ENOSPC: something in it went too far */
  commit(): void
}

export interface TransactionRequest {
  readonly type: number
  readonly payload: Buffer
}
