import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { encodeMessage, MessageReader, MessageType } from '../../dist/src/drivers/xenbus/wire.js'

const MAX_REPLY = 1 << 20

/** One connection to a xenstored, in its own protocol: one request at a time, and the events that come in between. */
export class RawStoreClient {
  #socket
  #replies = []
  #events = []
  #waiting
  #failure
  #lastId = 0
  /** Resolves when the other side has closed it, or this one. */
  closed

  /** @param {string} path a Unix socket. xenstored has a backlog of one: connecting may have to be repeated */
  static async open(path) {
    for (let tried = 0; ; tried++) {
      const socket = connect(path)
      try {
        await once(socket, 'connect')
        return new RawStoreClient(socket)
      } catch (error) {
        if (tried > 500 || !['EAGAIN', 'ENOENT', 'ECONNREFUSED'].includes(error.code)) throw error
        await delay(5)
      }
    }
  }

  constructor(socket) {
    this.#socket = socket
    const reader = new MessageReader(MAX_REPLY)
    socket.on('data', (chunk) => {
      for (const message of reader.push(chunk)) this.#take(message)
    })
    this.closed = new Promise((resolve) => {
      socket.on('close', () => resolve())
    })
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('xenstored has closed the connection')))
  }

  /** @returns its reply: type, tx, and the payload as text of one character per byte */
  async request(type, transactionId, payload) {
    const requestId = ++this.#lastId
    this.write(encodeMessage({ type, requestId, transactionId, payload: Buffer.from(payload, 'latin1') }))
    const reply = await this.reply()
    return { ...reply, sameId: reply.requestId === requestId }
  }

  /** Any bytes. */
  write(bytes) {
    this.#socket.write(bytes)
  }

  /** The next reply. */
  async reply() {
    while (this.#replies.length === 0) {
      if (this.#failure) throw this.#failure
      await new Promise((resolve) => {
        this.#waiting = resolve
      })
    }
    return this.#replies.shift()
  }

  /** Everything that was on its way has come. A reply overtakes no event. */
  async settle() {
    await this.request(MessageType.getDomainPath, 0, '0\0')
  }

  /** What has come since the last time: path and token. */
  events() {
    return this.#events.splice(0)
  }

  /** Reads nothing until `resume`. */
  pause() {
    this.#socket.pause()
  }

  resume() {
    this.#socket.resume()
  }

  async close() {
    this.#socket.destroy()
    await this.closed
  }

  #take({ type, requestId, transactionId, payload }) {
    const text = payload.toString('latin1')
    if (type === MessageType.watchEvent) this.#events.push(text)
    else this.#replies.push({ type, requestId, transactionId, payload: text })
    this.#wake()
  }

  #fail(error) {
    this.#failure ??= error
    this.#wake()
  }

  #wake() {
    this.#waiting?.()
    this.#waiting = undefined
  }
}
