import { performance } from 'node:perf_hooks'
import { onAbort, pause } from '../abort.js'
import { closedError } from '../errors.js'
import type { DomainParts } from '../vchan/vigil.js'
import { openSocket } from './open-socket.js'
import type { CheckedSocketConnect } from './options.js'
import type { ServiceSocket } from './service-socket.js'

/** A connection that has lasted so long was a good one, in milliseconds. */
const LASTING = 1000
/** How long to wait after one that was not: doubled each time, up to the second figure, in milliseconds. */
const FIRST_PAUSE = 50
const LONGEST_PAUSE = 5000

/**
 * Connections to one service, one after the other: `for await (const socket of await connect(xen, { …, reconnect: true }))`.
 * Each is a new stream, of which the service knows nothing: what was under way in the one before is lost, and only the
 * program can know whether to ask again. The next one is made when the one before has closed and the next is asked for.
 *
 * Leaving the loop closes the connection, and so does the signal, with whose reason the loop then ends. It throws what connecting
 * throws, with `timeout` also ETIMEDOUT.
 */
export class Reconnection implements AsyncIterable<ServiceSocket> {
  readonly #parts: DomainParts
  readonly #options: CheckedSocketConnect
  readonly #stop = new AbortController()
  readonly #open = new Set<ServiceSocket>()
  readonly #signal: AbortSignal | undefined
  #closed = false

  /** @internal */
  constructor(parts: DomainParts, options: CheckedSocketConnect) {
    this.#parts = parts
    this.#options = { ...options, signal: this.#stop.signal }
    this.#signal = options.signal
  }

  /**
   * The streams, one after the other: the next when the one before has ended and the service is there. `break` closes the
   * stream.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<ServiceSocket, void, undefined> {
    if (this.#closed) return
    const signal = this.#signal
    signal?.throwIfAborted()
    // Only for as long as there is a loop: a signal may outlive many of them.
    const takeBack = signal && onAbort(signal, () => this.#end(signal.reason))
    try {
      yield* this.#sockets()
    } finally {
      takeBack?.()
    }
  }

  async *#sockets(): AsyncGenerator<ServiceSocket, void, undefined> {
    let short = 0
    for (;;) {
      const socket = await this.#connect(short)
      if (!socket) return
      const began = performance.now()
      try {
        yield socket
        // The loop is done with it: what it fails with now leads to the next one.
        socket.on('error', ignore)
        // Nobody reads it any more, who would hear of its end otherwise.
        if (socket.listenerCount('data') + socket.listenerCount('readable') === 0) socket.resume()
        await over(socket)
      } finally {
        socket.off('error', ignore).on('error', ignore).destroy()
      }
      short = performance.now() - began < LASTING ? short + 1 : 0
    }
  }

  /** @param short how many connections before have not lasted. @returns undefined when this is closed */
  async #connect(short: number): Promise<ServiceSocket | undefined> {
    const { signal } = this.#stop
    try {
      if (short > 0) await pause(Math.min(FIRST_PAUSE * 2 ** (short - 1), LONGEST_PAUSE), signal)
      signal.throwIfAborted()
      const socket = await openSocket(this.#parts, this.#options)
      this.#open.add(socket)
      socket.once('close', () => this.#open.delete(socket))
      return socket
    } catch (error) {
      if (this.#closed) return undefined
      throw error
    }
  }

  /** Ends all loops and closes their connections. */
  async close(): Promise<void> {
    this.#closed = true
    const open = [...this.#open]
    this.#end(closedError('the reconnection'))
    await Promise.all(open.map(over))
  }

  #end(reason: unknown): void {
    this.#stop.abort(reason)
    for (const socket of this.#open) socket.destroy()
  }

  /** For `await using`: {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function ignore(): void {}

function over(socket: ServiceSocket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve()
    else socket.once('close', () => resolve())
  })
}
