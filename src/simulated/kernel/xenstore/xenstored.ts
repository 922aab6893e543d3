import type { Buffer } from 'node:buffer'
import { MAX_PAYLOAD, MessageType, type StoreMessage } from '../../../drivers/xenbus/wire.js'
import { CheckedTransaction } from './checked-transaction.js'
import { DefaultLayout } from './default-layout.js'
import { DomainLife } from './domain-life.js'
import { makeFirstNodes } from './first-nodes.js'
import { NodeAccess } from './node-access.js'
import { NodeStore } from './node-store.js'
import type { StoreTransaction } from './node-view.js'
import { Outbox } from './outbox.js'
import { joinStrings } from './payload.js'
import { Refusal } from './refusal.js'
import { ReplayedTransaction } from './replayed-transaction.js'
import { type RequestKind, requestKinds } from './request-kinds.js'
import { StoreClient } from './store-client.js'
import type { Hypervisor } from './store-domains.js'
import type { StoreRequest, StoreState } from './store-request.js'
import { type Flavour, rulesOf } from './store-rules.js'
import { type WatchEvent, WatchRegistry } from './watch-registry.js'

/** What the transport of a connection offers. */
export interface StoreTransport {
  /** Something has been put into the outbox: it may be taken at once, or with what follows. */
  filled(): void
  /** Ends it: its domain has gone. */
  hangUp(): void
}

/** xenstored, without its sockets and rings: requests in, replies and events into the outboxes of connections. */
export class Xenstored {
  readonly flavour: Flavour
  readonly #state: StoreState
  /** Of the request that is being carried out. */
  #events: WatchEvent[] = []

  constructor(hypervisor: Hypervisor, flavour: Flavour = 'c') {
    this.flavour = flavour
    const rules = rulesOf(flavour)
    const store: NodeStore = new NodeStore(hypervisor, rules, (change) =>
      registry.tellChange(change, flavour),
    )
    const registry = new WatchRegistry(
      (path) => store.read(path),
      (event) => this.#events.push(event),
    )
    this.#state = {
      store,
      watches: registry,
      rules,
      life: new DomainLife(store, registry, rules),
      newTransaction: (connection) => this.#newTransaction(connection),
    }
    this.#state.store.domains.findExisting(0)!.introduced = true
    makeFirstNodes(store, flavour)
  }

  /**
   * @param domid whose ring it is; undefined for a program next to xenstored, on its socket
   * @throws Refusal EINVAL: the domain has not been introduced
   */
  connect(domid: number | undefined, transport: StoreTransport): StoreClient {
    const domain = domid === undefined ? undefined : this.#state.store.domains.introduced(domid)
    if (domid !== undefined && (domain === undefined || domain.dead)) throw new Refusal('EINVAL')
    const outbox = new Outbox(() => transport.filled())
    const connection = new StoreClient(domain, outbox, () => transport.hangUp())
    this.#state.life.add(connection)
    return connection
  }

  /** The transport has gone. */
  disconnect(connection: StoreClient): void {
    this.#state.life.remove(connection)
  }

  /** Carries out a request and answers it. */
  receive(connection: StoreClient, message: StoreMessage): void {
    const { type, requestId, transactionId } = message
    const { eventsFirst } = this.#state.rules
    const outside = this.flavour === 'ocaml' && requestKinds.get(type)?.outsideTransactions
    const head = { requestId, transactionId: outside ? 0 : transactionId }
    let reply: StoreMessage
    try {
      reply = { ...head, type, payload: this.#run(connection, message) }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      reply = { ...head, type: MessageType.error, payload: joinStrings([error.code]) }
    }
    // The event that tells of a new watch comes after its reply in any case.
    if (eventsFirst && type !== MessageType.watch) this.#deliver()
    connection.outbox.reply(reply)
    this.#deliver()
  }

  /** Changes the store as the toolstack does when it creates and destroys domains. */
  asToolstack(act: (layout: DefaultLayout) => void): void {
    act(new DefaultLayout(this.#state.store, this.#state.rules))
    this.#deliver()
  }

  /** As the toolstack does with INTRODUCE. @throws Refusal EINVAL: there is no such domain */
  introduce(domid: number): void {
    this.#state.life.introduce(domid)
    this.#deliver()
  }

  isIntroduced(domid: number): boolean {
    return this.#state.store.domains.introduced(domid) !== undefined
  }

  /** The hypervisor tells that a domain has shut down or crashed, and is still there. */
  domainShutDown(domid: number): void {
    this.#state.life.shutDown(domid)
    this.#deliver()
  }

  /** The hypervisor tells that a domain has gone. */
  domainDied(domid: number): void {
    this.#state.life.died(domid)
    this.#deliver()
  }

  /** What is open of it, of all or of one domain's. */
  count(domid?: number): { connections: number; watches: number; transactions: number } {
    const counts = { connections: 0, watches: 0, transactions: 0 }
    for (const connection of this.#state.life.connections) {
      if (domid !== undefined && connection.domid !== domid) continue
      counts.connections++
      counts.watches += connection.watches.size
      counts.transactions += connection.transactions.size
    }
    return counts
  }

  #run(connection: StoreClient, { type, transactionId: id, payload }: StoreMessage): Buffer {
    const kind = requestKinds.get(type)
    const check = () => {
      if (kind === undefined || (kind.onlyC && this.flavour !== 'c')) throw new Refusal('ENOSYS')
      if (kind.privileged && !connection.privileged) throw new Refusal('EACCES')
      return kind
    }
    if (this.flavour === 'c') check()
    if (id === 0 || kind?.outsideTransactions) return this.#carryOut(check(), connection, payload, undefined)
    const view = connection.transactions.get(id)
    if (view === undefined) throw new Refusal(this.#state.rules.noTransaction)
    view.begin()
    const answer = attempt(() => this.#carryOut(check(), connection, payload, { id, view }))
    view.done({ type, payload }, textOf(answer), answer instanceof Refusal)
    if (answer instanceof Refusal) throw answer
    return answer
  }

  #carryOut(
    { run }: RequestKind,
    connection: StoreClient,
    payload: Buffer,
    transaction: StoreRequest['transaction'],
  ): Buffer {
    const { store, rules } = this.#state
    const nodes = new NodeAccess(transaction?.view ?? store, connection, rules)
    const answer = run({ ...this.#state, connection, payload, transaction, nodes })
    // oxenstored sends a list of any length to programs on its socket.
    const limited = rules.flavour === 'c' || connection.domain !== undefined
    if (limited && answer.length > MAX_PAYLOAD) throw new Refusal('E2BIG')
    return answer
  }

  #newTransaction(connection: StoreClient): StoreTransaction {
    const { store, rules } = this.#state
    if (rules.flavour === 'c') return new CheckedTransaction(store, rules, connection.privileged)
    return new ReplayedTransaction(store, rules, connection.privileged, {
      begin: () => void connection.takeTransactionId(),
      perform: (view, { type, payload }) => {
        const kind = requestKinds.get(type)
        if (kind === undefined) return textOf(new Refusal('ENOSYS'))
        return textOf(attempt(() => this.#carryOut(kind, connection, payload, { id: 0, view })))
      },
    })
  }

  #deliver(): void {
    const events = this.#events
    this.#events = []
    for (const { connection, path, token } of events) {
      if (!this.#state.life.connections.has(connection)) continue
      connection.outbox.event(path, token, this.#memoryOf(connection), this.#state.rules.mergesEvents)
    }
  }

  /** Bytes that may wait for it. Programs next to xenstored are not limited here: their transport is. */
  #memoryOf(connection: StoreClient): number {
    return connection.privileged ? Number.POSITIVE_INFINITY : this.#state.rules.quotas.memory
  }
}

function attempt(act: () => Buffer): Buffer | Refusal {
  try {
    return act()
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
}

function textOf(answer: Buffer | Refusal): string {
  return answer instanceof Refusal ? `error ${answer.code}` : answer.toString('latin1')
}
