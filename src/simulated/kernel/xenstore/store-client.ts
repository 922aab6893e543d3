import { domainPath } from './node-paths.js'
import type { Identity } from './node-permissions.js'
import type { StoreTransaction } from './node-view.js'
import type { Outbox } from './outbox.js'
import type { StoreDomain } from './store-domains.js'

export interface Watch {
  readonly connection: StoreClient
  /** Absolute, or the name of a special event. */
  readonly path: string
  readonly token: string
  /** What is cut off the paths of its events: it was set with a path relative to this. */
  readonly base: string | undefined
  /** Watches are told in the order in which they were set. */
  readonly order: number
}

/** A connection to xenstored: of a program next to it, or of a domain. */
export class StoreClient implements Identity {
  /** Undefined for a program next to xenstored. */
  readonly domain: StoreDomain | undefined
  readonly outbox: Outbox
  readonly watches = new Set<Watch>()
  readonly transactions = new Map<number, StoreTransaction>()
  readonly #hangUp: () => void
  #nextTransaction = 1

  /** @param hangUp ends the transport behind it */
  constructor(domain: StoreDomain | undefined, outbox: Outbox, hangUp: () => void) {
    this.domain = domain
    this.outbox = outbox
    this.#hangUp = hangUp
  }

  get domid(): number {
    return this.domain?.domid ?? 0
  }

  get privileged(): boolean {
    return this.domid === 0
  }

  get target(): number | undefined {
    return this.domain?.target?.domid
  }

  /** Below which its relative paths are. */
  get base(): string {
    return domainPath(this.domid)
  }

  /** Ids are a connection's own. @returns the id */
  addTransaction(transaction: StoreTransaction): number {
    const id = this.takeTransactionId()
    this.transactions.set(id, transaction)
    if (this.domain) this.domain.transactions++
    return id
  }

  /** Another that is free. */
  takeTransactionId(): number {
    while (this.#nextTransaction === 0 || this.transactions.has(this.#nextTransaction)) this.#advance()
    const id = this.#nextTransaction
    this.#advance()
    return id
  }

  endTransaction(id: number): void {
    if (this.transactions.delete(id) && this.domain) this.domain.transactions--
  }

  endTransactions(): void {
    for (const id of [...this.transactions.keys()]) this.endTransaction(id)
  }

  hangUp(): void {
    this.#hangUp()
  }

  #advance(): void {
    this.#nextTransaction = (this.#nextTransaction + 1) >>> 0
  }
}
