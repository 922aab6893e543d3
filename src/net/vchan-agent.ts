import { Agent, type AgentOptions, type ClientRequest } from 'node:http'
import { Duplex } from 'node:stream'
import { closedError } from '../errors.js'
import type { DomainParts } from '../vchan/vigil.js'
import { openSocket } from './open-socket.js'
import { type CheckedSocketConnect, checkSocketConnect, type SocketConnectOptions } from './options.js'

/** Where the connections of a {@link VchanAgent} lead. Beside these, the options of `http.Agent`. */
export interface VchanAgentOptions extends AgentOptions {
  /** The domain that listens: 0 to 32751. */
  domid: number
  /** Of the service, as in `listen()`. */
  name: string
  /** How long to wait for the service, in milliseconds, as `timeout` of `connect()`. Default 10000. */
  connectTimeout?: number | undefined
  /** As in `connect()`. */
  maxWindow?: number | undefined
}

type Created = (error: Error | null, stream?: Duplex) => void

type Options = Record<string, unknown>

/** What of `http.Agent` its declarations leave out. */
interface Internals {
  totalSocketCount: number
  addRequest(request: ClientRequest, options: Options): void
}

/**
 * For `http.request` and what is built on it: requests travel over connections to one service, whatever host they name. To
 * make a connection takes as long as many requests, so set `keepAlive`.
 *
 * The other side: `listen(xen, { … }, (socket) => httpServer.emit('connection', socket))`.
 */
export class VchanAgent extends Agent {
  readonly #parts: DomainParts
  readonly #options: CheckedSocketConnect
  #stop = new AbortController()

  /** @param options those of `http.Agent` as well. @throws TypeError, RangeError */
  constructor(xen: DomainParts, options: VchanAgentOptions) {
    const { domid, name, connectTimeout, maxWindow, ...own } = { ...options }
    const checked = checkSocketConnect(xen, {
      domid,
      name,
      timeout: connectTimeout,
      maxWindow,
    } satisfies SocketConnectOptions)
    super(own)
    this.#parts = xen
    this.#options = checked
  }

  /** All connections lead to the same place. */
  override getName(): string {
    return `xen:${this.#options.domid}:${this.#options.name}:`
  }

  /** @internal */
  createSocket(request: ClientRequest, options: Options, created: Created): void {
    const inherited = Agent.prototype as unknown as {
      createSocket(this: Agent, request: ClientRequest, options: Options, created: Created): void
    }
    inherited.createSocket.call(this, request, options, (error, socket) => {
      // Node leaves it there when it was waiting for its turn: it would be tried again without end.
      if (error) this.#forget(request)
      created(error, socket)
    })
  }

  /** @internal */
  override createConnection(options: Options, created: Created): undefined {
    const { signal } = this.#stop
    const place = this.#hold()
    openSocket(this.#parts, { ...this.#options, signal }).then(
      (socket) => {
        this.#release(place)
        created(null, socket)
      },
      (error: Error) => {
        this.#release(place)
        created(error)
        this.#goOn(options)
      },
    )
    return undefined
  }

  #forget(request: ClientRequest): void {
    const waiting = this.#requests[this.getName()]
    const at = waiting?.indexOf(request) ?? -1
    if (at >= 0) waiting!.splice(at, 1)
  }

  /** The next that waits for a connection, since one could not be made. */
  #goOn(options: Options): void {
    const waiting = this.#requests[this.getName()] ?? []
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      if (next.destroyed) continue
      this.#internals.addRequest(next, options)
      break
    }
    if (waiting.length === 0) delete this.#requests[this.getName()]
  }

  /** Node counts a connection when it has been made: until then this stands for it, or `maxSockets` would mean nothing. */
  #hold(): Duplex {
    const place = new Duplex()
    const sockets = this.#sockets
    const name = this.getName()
    sockets[name] = [...(sockets[name] ?? []), place]
    this.#internals.totalSocketCount++
    return place
  }

  #release(place: Duplex): void {
    const sockets = this.#sockets
    const name = this.getName()
    const others = (sockets[name] ?? []).filter((socket) => socket !== place)
    if (others.length > 0) sockets[name] = others
    else delete sockets[name]
    this.#internals.totalSocketCount--
  }

  get #sockets(): Record<string, Duplex[] | undefined> {
    return this.sockets as unknown as Record<string, Duplex[] | undefined>
  }

  get #requests(): Record<string, ClientRequest[] | undefined> {
    return this.requests as unknown as Record<string, ClientRequest[] | undefined>
  }

  get #internals(): Internals {
    return this as unknown as Internals
  }

  /** Closes all connections, also those being made. */
  override destroy(): void {
    this.#stop.abort(closedError('the agent'))
    this.#stop = new AbortController()
    super.destroy()
  }
}
