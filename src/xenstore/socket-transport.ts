import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import process from 'node:process'
import { pause, untilAborted } from '../abort.js'
import { MAX_PAYLOAD } from '../drivers/xenbus/wire.js'
import { readMessages } from './incoming.js'
import { XenStoreError } from './store-error.js'
import type { StoreTransport, TransportListener } from './transport.js'

/** oxenstored sends all children of a directory in one reply, however many there are: this is room for the names of 30 000. */
const MAX_REPLY = 1 << 20
const READ_BUFFER = 64 << 10

/** xenstored listens with a backlog of one connection, and a Unix socket that is busy does not wait: it answers EAGAIN. */
const CONNECT_TRIES = 200
const CONNECT_PAUSE_MS = 25

const ADVICE: Record<string, string> = {
  ENOENT:
    'not found. xenstored listens there in domain 0 only; any other domain reaches it through /dev/xen/xenbus (modprobe xen-privcmd, mount xenfs)',
  ECONNREFUSED:
    'no xenstored listens there: it has ended. Domains that run keep the old one from being replaced',
  EACCES: 'permission denied. The socket belongs to root: run as root',
  EPERM: 'permission denied. The socket belongs to root: run as root',
  ENOTSOCK: 'is no socket',
  EAGAIN: 'xenstored takes no connections. Does it still run?',
}

/** What the socket has read: the beginning of a buffer that it uses again. */
interface Take {
  bytes: (buffer: Uint8Array, length: number) => void
}

/** The Unix socket of xenstored. What is asked in one turn of the event loop leaves in one write. */
export class SocketTransport implements StoreTransport {
  readonly path: string
  readonly maxPayload = MAX_PAYLOAD
  readonly maxPending = Number.POSITIVE_INFINITY
  readonly #socket: Socket
  readonly #take: Take
  #outgoing: Buffer[] = []
  #closed = false

  private constructor(path: string, socket: Socket, take: Take) {
    this.path = path
    this.#socket = socket
    this.#take = take
    socket.unref()
  }

  /** @throws XenStoreError that says what to do; the signal's reason */
  static async open(path: string, signal: AbortSignal | undefined): Promise<SocketTransport> {
    for (let tried = 1; ; tried++) {
      const take: Take = { bytes: () => {} }
      const socket = connect({
        path,
        onread: {
          buffer: Buffer.allocUnsafeSlow(READ_BUFFER),
          callback: (length, buffer) => {
            take.bytes(buffer, length)
            return true
          },
        },
      })
      try {
        await untilAborted(once(socket, 'connect'), signal)
        return new SocketTransport(path, socket, take)
      } catch (error) {
        socket.destroy()
        if (signal?.aborted) throw signal.reason
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || tried >= CONNECT_TRIES)
          throw openFailure(path, error as NodeJS.ErrnoException)
      }
      await pause(Math.random() * CONNECT_PAUSE_MS, signal)
    }
  }

  start(listener: TransportListener): void {
    // Nothing has come or gone since `open`: only promises have been settled in between.
    const incoming = readMessages(MAX_REPLY, (message) => listener.message(message))
    this.#take.bytes = (buffer, length) => {
      if (this.#closed) return
      const wrong = incoming.push(buffer, length)
      if (wrong) listener.lost(wrong)
    }
    let cause: Error | undefined
    this.#socket.on('error', (error) => {
      cause = error
    })
    this.#socket.on('close', () => {
      if (!this.#closed) listener.lost(lostConnection(this.path, incoming.incomplete, cause))
    })
  }

  send(request: Buffer): void {
    if (this.#outgoing.length === 0) process.nextTick(this.#flush)
    this.#outgoing.push(request)
  }

  ref(): void {
    this.#socket.ref()
  }

  unref(): void {
    this.#socket.unref()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    if (this.#socket.closed) return
    this.#socket.ref()
    const closed = new Promise((resolve) => this.#socket.once('close', resolve))
    this.#socket.destroy()
    await closed
  }

  readonly #flush = (): void => {
    const requests = this.#outgoing
    this.#outgoing = []
    if (this.#closed || this.#socket.destroyed) return
    this.#socket.write(requests.length === 1 ? requests[0]! : Buffer.concat(requests))
  }
}

function openFailure(path: string, cause: NodeJS.ErrnoException): unknown {
  const { code } = cause
  // No code: the path itself was no path, which Node words well.
  if (code === undefined || cause.errno === undefined) return cause
  return new XenStoreError(code, `connecting to ${path}: ${ADVICE[code] ?? cause.message}`, {
    operation: 'open',
    path,
    cause,
  })
}

function lostConnection(path: string, incomplete: number, cause: Error | undefined): XenStoreError {
  const where =
    incomplete > 0 ? `in the middle of a message, after ${incomplete} bytes of it` : 'between two messages'
  const why = cause ? cause.message : `xenstored has closed it ${where}`
  return new XenStoreError(
    'ECONNRESET',
    `${path}: ${why}. What it watched is forgotten: open the store again`,
    {
      operation: 'receive',
      path,
      cause,
    },
  )
}
