import { Agent, type AgentOptions } from 'node:http'
import { Duplex } from 'node:stream'
import { closedError } from '../errors.js'
import type { DomainParts } from '../vchan/vigil.js'
import { openSocket } from './open-socket.js'
import { type CheckedSocketConnect, checkSocketConnect, type SocketConnectOptions } from './options.js'

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

/** What of `http.Agent` its declarations leave out. */
interface Counting {
  totalSocketCount: number
  /** Makes the next connection that is waited for as well. */
  removeSocket(socket: Duplex, options: object): void
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
  override createConnection(options: object, created: Created): undefined {
    const { signal } = this.#stop
    const place = this.#hold()
    openSocket(this.#parts, { ...this.#options, signal }).then(
      (socket) => {
        this.#release(place)
        created(null, socket)
      },
      (error: Error) => {
        created(error)
        this.#counting.removeSocket(place, options)
      },
    )
    return undefined
  }

  /** Node counts a connection when it has been made: until then this stands for it, or `maxSockets` would mean nothing. */
  #hold(): Duplex {
    const place = new Duplex()
    const sockets = this.#sockets
    const name = this.getName()
    sockets[name] = [...(sockets[name] ?? []), place]
    this.#counting.totalSocketCount++
    return place
  }

  #release(place: Duplex): void {
    const sockets = this.#sockets
    const name = this.getName()
    const others = (sockets[name] ?? []).filter((socket) => socket !== place)
    if (others.length > 0) sockets[name] = others
    else delete sockets[name]
    this.#counting.totalSocketCount--
  }

  get #sockets(): Record<string, Duplex[] | undefined> {
    return this.sockets as unknown as Record<string, Duplex[] | undefined>
  }

  get #counting(): Counting {
    return this as unknown as Counting
  }

  /** Closes all connections, also those being made. */
  override destroy(): void {
    this.#stop.abort(closedError('the agent'))
    this.#stop = new AbortController()
    super.destroy()
  }
}
