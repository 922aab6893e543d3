import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { GrantError, systemCallError } from '../../errors.js'
import { Decoder, encode, type Message, protocolError } from './codec.js'
import { connectionLost } from './connection-lost.js'
import { type Call, type Calls, decodeResult, files, type ReplyHead } from './protocol.js'

interface Pending {
  settle(message: Message): void
  fail(error: Error): void
}

/** A session for code that must not block. It keeps the thread alive only while an answer is due, or when told to. */
export class Connection {
  readonly #path: string
  readonly #socket: Socket
  readonly #background: boolean
  /** By the id of the request: the host answers in order, except what has to wait. */
  readonly #pending = new Map<number, Pending>()
  /** Resolves when it is over, whoever has ended it. */
  readonly ending: Promise<Error>
  #tellEnd: (reason: Error) => void = () => {}
  #lastId = 0
  #ended: Error | undefined

  /**
   * @param path the directory of the simulated Xen
   * @param background it keeps the thread alive only when told to, by `ref`
   * @throws GrantError ENOENT, ECONNREFUSED
   */
  static async open(path: string, background = false): Promise<Connection> {
    const socket = connect(join(path, files.socket))
    try {
      await once(socket, 'connect')
    } catch (cause) {
      const errno = -((cause as NodeJS.ErrnoException).errno ?? 0)
      const what = `no simulated Xen answers at ${path}: is the process that created it still running?`
      throw systemCallError(errno, 'connect', what, { path, cause })
    }
    return new Connection(path, socket, background)
  }

  private constructor(path: string, socket: Socket, background: boolean) {
    this.#path = path
    this.#background = background
    this.#socket = socket
    this.ending = new Promise((resolve) => {
      this.#tellEnd = resolve
    })
    const decoder = new Decoder()
    socket.unref()
    socket.on('data', (chunk) => {
      try {
        for (const message of decoder.push(chunk)) this.#receive(message)
      } catch (error) {
        if (!(error instanceof GrantError)) throw error
        this.#end(error)
      }
    })
    socket.on('error', (cause) => this.#end(connectionLost(path, 'read', cause)))
    socket.on('close', () => this.#end(connectionLost(path, 'read')))
  }

  /** @throws GrantError the call's own errors, ECONNRESET if the simulated Xen has gone, ERR_GRANTS_CLOSED */
  request<K extends Call>(
    call: K,
    args: Calls[K]['args'],
    numbers?: Uint32Array,
  ): Promise<Calls[K]['result']> {
    if (this.#ended) return Promise.reject(this.#ended)
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      const settle = (message: Message) => resolve(decodeResult<K>(id, message))
      this.#pending.set(id, { settle, fail: reject })
      if (this.#pending.size === 1 && !this.#background) this.#socket.ref()
      this.#socket.write(encode({ id, call, args }, numbers))
    })
  }

  /** Whether it is over, whoever has ended it. */
  get ended(): boolean {
    return this.#ended !== undefined
  }

  ref(): void {
    this.#socket.ref()
  }

  unref(): void {
    this.#socket.unref()
  }

  /** Requests under way fail, the host lets go of whatever this session still has. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      if (this.#socket.closed) resolve()
      else this.#socket.once('close', () => resolve())
    })
    this.#end(new GrantError('ERR_GRANTS_CLOSED', 'This SimulatedXen has been closed', { path: this.#path }))
    await closed
  }

  #receive(message: Message): void {
    const { id } = message.head as ReplyHead
    const pending = this.#pending.get(id)
    if (pending === undefined) {
      // An answer to nothing in particular says why the connection is over.
      if (id === 0) decodeResult(id, message)
      throw protocolError(`an answer nobody waits for`)
    }
    this.#pending.delete(id)
    if (this.#pending.size === 0 && !this.#background) this.#socket.unref()
    try {
      pending.settle(message)
    } catch (error) {
      pending.fail(error as Error)
    }
  }

  #end(reason: Error): void {
    if (this.#ended) return
    this.#ended = reason
    this.#socket.destroy()
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const { fail } of pending) fail(reason)
    this.#tellEnd(reason)
  }
}
