import { EventEmitter } from 'node:events'
import { clearInterval, setInterval } from 'node:timers'
import { type InspectOptionsStylized, inspect } from 'node:util'
import { untilAborted } from '../abort.js'
import { publish } from '../diagnostics.js'
import { inLine } from '../inspect.js'
import { type CloseOptions, checkClose } from '../threads/close-options.js'
import { dependents } from '../threads/dependents.js'
import { Lifecycle } from '../threads/lifecycle.js'
import type { DomainParts } from '../vchan/vigil.js'
import { checkDomid } from '../xenstore/paths.js'
import type { Host } from './acceptor.js'
import { Acceptors } from './acceptors.js'
import { Connections, type StreamTotals } from './connections.js'
import { type CheckedListen, checkLimit } from './options.js'
import type { ServiceSocket } from './service-socket.js'

/** What a {@link Service} emits. */
export interface ServiceEvents {
  /** Offers stand for all domains. */
  listening: []
  /** A client has connected. Without a listener connections wait for one, or for `for await`. */
  connection: [ServiceSocket]
  /** `maxConnections` are open: one more has been closed. */
  drop: [{ domid: number }]
  /** Clients of that domain find no offer for now: there are no pages, no xenstored, … It is tried again every second. */
  unavailable: [{ domid: number; error: Error }]
  /** That domain has been destroyed. Nothing is offered to it any more: another one of its number has to be allowed anew. */
  gone: [{ domid: number }]
  /** No client is waited for any more, and the last connection has ended. */
  close: []
}

/** Where clients find a service. */
export interface ServiceAddress {
  /** Of the domain that listens. */
  domid: number
  name: string
  /** Whose clients may connect. */
  domids: number[]
}

/** Counts of a service. */
export interface ServiceStats extends StreamTotals {
  /** Open now, and by domain: those that have any. */
  connections: number
  domains: Record<number, number>
  /** Since the beginning. */
  accepted: number
  dropped: number
}

const AWAKE = 2 ** 30

/**
 * A service that clients in other domains connect to, with the manners of `net.Server`. Made by {@link listen}.
 *
 * Listen to 'connection', or iterate: `for await (const socket of service)`, which ends with the service.
 */
export class Service extends EventEmitter<ServiceEvents> implements AsyncIterable<ServiceSocket> {
  readonly name: string
  readonly #host: Host
  readonly #acceptors: Acceptors
  readonly #connections = new Connections()
  readonly #lifecycle = new Lifecycle('the service')
  readonly #leave: () => void
  /** Keeps the process alive, unless that is not wanted: there need be no offer, as while no domain is allowed. */
  readonly #alive = setInterval(() => {}, AWAKE)
  #maxConnections: number
  #maxConnectionsPerDomain: number
  #dropped = 0

  /** @internal @param self the domain that listens */
  constructor(parts: DomainParts, self: number, options: Omit<CheckedListen, 'domids' | 'signal'>) {
    super()
    this.name = options.name
    this.#maxConnections = options.maxConnections
    this.#maxConnectionsPerDomain = options.maxConnectionsPerDomain
    this.#host = {
      parts,
      self,
      name: options.name,
      window: options.window,
      hasRoom: (domid) => this.#hasRoom(domid),
      room: (domid, signal) => this.#room(domid, signal),
      accepted: (socket) => this.#accept(socket),
      over: (socket) => this.#connections.remove(socket),
      failed: (domid, error) => this.#unavailable(domid, error),
      gone: (domid) => this.#gone(domid),
    }
    this.#acceptors = new Acceptors(this.#host)
    const dependent = { close: () => this.close({ force: true }) }
    parts[dependents]?.add(dependent)
    this.#leave = () => parts[dependents]?.delete(dependent)
    ;(this as EventEmitter).on('newListener', (event) => {
      if (event === 'connection') queueMicrotask(() => this.#handOut())
    })
  }

  /** Whether offers stand: true from `listen()` until it is closed. */
  get listening(): boolean {
    return !this.#lifecycle.closing
  }

  /** Open connections. */
  get connections(): number {
    return this.#connections.size
  }

  /** Of all domains together. More are closed at once. @throws TypeError, RangeError when set to less than 1 */
  get maxConnections(): number {
    return this.#maxConnections
  }

  /** Takes effect with the next connection. */
  set maxConnections(value: number) {
    checkLimit('maxConnections', value)
    this.#maxConnections = value
    this.#connections.changed()
  }

  /** A domain that has so many finds no offer. @throws TypeError, RangeError when set to less than 1 */
  get maxConnectionsPerDomain(): number {
    return this.#maxConnectionsPerDomain
  }

  /** Takes effect with the next connection. */
  set maxConnectionsPerDomain(value: number) {
    checkLimit('maxConnectionsPerDomain', value)
    this.#maxConnectionsPerDomain = value
    this.#connections.changed()
  }

  /** Where clients find it. */
  address(): ServiceAddress {
    return { domid: this.#host.self, name: this.name, domids: this.#acceptors.domids }
  }

  /**
   * Lets clients of that domain connect as well. Resolves when they can.
   * @param domid 0 to 32751. The domain need not exist yet
   * @throws what sharing pages, binding a port and writing to xenstore throws; GrantError EADDRINUSE: another service of this
   *   domain has that name for that domain; ERR_GRANTS_CLOSED; TypeError, RangeError
   */
  async allow(domid: number): Promise<void> {
    checkDomid('domid', domid)
    this.#lifecycle.mustBeOpen()
    await this.#acceptors.allow(domid)
  }

  /** No more clients of that domain: gives back what was offered to it. Its connections stay. */
  async deny(domid: number): Promise<void> {
    checkDomid('domid', domid)
    await this.#acceptors.deny(domid)
  }

  /**
   * Takes back all offers, and resolves when the last connection has ended.
   * @param options `force`: ends the connections at once
   */
  close(options?: CloseOptions): Promise<void> {
    const force = checkClose(options)
    const closed = this.#lifecycle.close(() => this.#close())
    if (force) this.#connections.destroyAll()
    return closed
  }

  async #close(): Promise<void> {
    clearInterval(this.#alive)
    this.#connections.changed()
    // Nobody can get them any more.
    for (const socket of this.#connections.takeAll()) socket.destroy()
    await this.#acceptors.end()
    while (this.#connections.size > 0) await this.#connections.change()
    this.#leave()
    // Not in a promise: what a listener throws is an uncaught exception and not a rejection.
    queueMicrotask(() => this.emit('close'))
  }

  /** Waiting for clients keeps the process alive, as it does from the beginning. */
  ref(): this {
    this.#alive.ref()
    return this
  }

  /** Waiting for clients does not keep the process alive. Connections do. */
  unref(): this {
    this.#alive.unref()
    return this
  }

  /** What is open, and what has been done since the beginning. */
  stats(): ServiceStats {
    const connections = this.#connections
    return {
      connections: connections.size,
      domains: connections.byDomain(),
      accepted: connections.accepted,
      dropped: this.#dropped,
      ...connections.totals(),
    }
  }

  /** The connections as they come. Ends when the service is closed; `break` leaves it open. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ServiceSocket, void, undefined> {
    for (;;) {
      const socket = this.#connections.take()
      if (socket) yield socket
      else if (this.#lifecycle.closing) return
      else await this.#connections.change()
    }
  }

  /** For `await using`: {@link close}, by force. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close({ force: true })
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    const { state } = this.#lifecycle
    return inLine('Service', { ...this.address(), connections: this.connections, state }, options)
  }

  #accept(socket: ServiceSocket): void {
    if (this.connections >= this.#maxConnections || this.#lifecycle.closing) {
      this.#dropped++
      socket.on('error', () => {}).destroy()
      queueMicrotask(() => this.emit('drop', { domid: socket.domid }))
      return
    }
    this.#connections.add(socket)
    // As all events, not in the acceptor's turn: what a listener throws is no failure of that.
    queueMicrotask(() => this.#handOut())
  }

  #handOut(): void {
    if (this.listenerCount('connection') === 0) return
    const socket = this.#connections.take()
    if (!socket) return
    // The others come after this one, also if a listener throws.
    queueMicrotask(() => this.#handOut())
    this.emit('connection', socket)
  }

  #unavailable(domid: number, error: Error): void {
    publish('xen-grants:error', () => ({ operation: 'listen', error }))
    queueMicrotask(() => this.emit('unavailable', { domid, error }))
  }

  #gone(domid: number): void {
    if (!this.#acceptors.has(domid)) return
    this.deny(domid).catch((error: Error) => this.#unavailable(domid, error))
    queueMicrotask(() => this.emit('gone', { domid }))
  }

  #hasRoom(domid: number): boolean {
    if (this.connections >= this.#maxConnections) return false
    return this.#connections.of(domid) < this.#maxConnectionsPerDomain
  }

  async #room(domid: number, signal: AbortSignal): Promise<void> {
    while (!this.#hasRoom(domid)) await untilAborted(this.#connections.change(), signal)
  }
}
