import { Buffer } from 'node:buffer'
import type { DomainLife } from './domain-life.js'
import type { NodeAccess } from './node-access.js'
import type { NodeStore } from './node-store.js'
import type { StoreTransaction } from './node-view.js'
import type { StoreClient } from './store-client.js'
import type { Rules } from './store-rules.js'
import type { WatchRegistry } from './watch-registry.js'

/** What there is to work on. */
export interface StoreState {
  readonly store: NodeStore
  readonly watches: WatchRegistry
  readonly life: DomainLife
  readonly rules: Rules
  newTransaction(connection: StoreClient): StoreTransaction
}

/** A request that is being carried out. */
export interface StoreRequest extends StoreState {
  readonly connection: StoreClient
  readonly payload: Buffer
  /** The transaction it is part of. */
  readonly transaction: { readonly id: number; readonly view: StoreTransaction } | undefined
  /** The nodes as this caller sees them there. */
  readonly nodes: NodeAccess
}

/** Carries out one type of requests. @returns the payload of the reply. @throws Refusal */
export type StoreHandler = (request: StoreRequest) => Buffer

/** The reply to what has no other. */
export const OK = Buffer.from('OK\0')
