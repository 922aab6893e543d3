import { Buffer } from 'node:buffer'
import { encodeMessage, Header, MessageType, type StoreMessage } from '../../../drivers/xenbus/wire.js'
import { isSpecial } from './node-paths.js'
import { joinStrings } from './payload.js'

/** What has not been sent to a client yet. */
export class Outbox {
  #messages: Buffer[] = []
  /** Events that are among them, for those that come again meanwhile. */
  readonly #events = new Set<string>()
  readonly #filled: () => void
  #bytes = 0

  /** @param filled is called when something has been put in */
  constructor(filled: () => void) {
    this.#filled = filled
  }

  get bytes(): number {
    return this.#bytes
  }

  reply(message: StoreMessage): void {
    this.#put(encodeMessage(message))
  }

  /**
   * @param limit bytes that may wait before an event is lost
   * @param merge one that waits already is not sent twice, unless it is a special one
   */
  event(path: string, token: string, limit: number, merge: boolean): void {
    const payload = joinStrings([path, token])
    const key = payload.toString('latin1')
    if (merge && !isSpecial(path) && this.#events.has(key)) return
    if (this.#bytes + Header.size + payload.length >= limit) return
    this.#events.add(key)
    this.#put(encodeMessage({ type: MessageType.watchEvent, requestId: 0, transactionId: 0, payload }))
  }

  /** Everything, which counts as sent from now on. */
  take(): Buffer {
    const all = this.#messages.length === 1 ? this.#messages[0]! : Buffer.concat(this.#messages)
    this.clear()
    return all
  }

  clear(): void {
    this.#messages = []
    this.#events.clear()
    this.#bytes = 0
  }

  #put(message: Buffer): void {
    this.#messages.push(message)
    this.#bytes += message.length
    this.#filled()
  }
}
