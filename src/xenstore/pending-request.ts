import { Buffer } from 'node:buffer'
import { onAbort } from '../abort.js'
import { MessageType, type StoreMessage } from '../drivers/xenbus/wire.js'
import { refusal } from './refusals.js'
import { protocolError, type Subject, unanswered, type XenStoreError } from './store-error.js'
import { isUnreadable } from './unreadable.js'

export interface StoreRequest {
  type: number
  /** With room for the header, see `strings`. */
  message: Buffer
  transactionId: number
  subject: Subject
  /** Requests of one lane are sent in order; lanes take turns. */
  lane: object
  signal?: AbortSignal | undefined
  /** Answered with {@link UNREADABLE} when there is no such node, or it may not be read: no error is made of what is expected. */
  mayBeUnreadable?: boolean | undefined
  /**
   * Called once if the signal comes first, when the request has ended after all: with the answer, or without one when it was
   * refused, never sent, or the connection has gone. Must not throw.
   */
  late?: ((answer: Buffer | undefined) => void) | undefined
}

/** Known by its identity. */
export const UNREADABLE = Buffer.alloc(0)

const NUL = 0
const ERROR_NAME = /^[A-Z][A-Z0-9_]{1,31}$/

/** A request from its call until xenstored has answered it, which it does also when the caller has stopped waiting. */
export class PendingRequest {
  readonly request: StoreRequest
  readonly answer: Promise<Buffer>
  /** In ticks of the connection's clock; negative while it has not been sent. */
  sentAt = -1
  #resolve!: (answer: Buffer) => void
  #reject!: (error: unknown) => void
  #aborted = false
  /** Of the signal. */
  #takeBack: (() => void) | undefined

  /** @param owner told once if the caller stops waiting before the end */
  constructor(request: StoreRequest, owner: { release(): void }) {
    this.request = request
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    const { signal } = request
    if (!signal) return
    this.#takeBack = onAbort(signal, () => {
      this.#aborted = true
      this.#reject(signal.reason)
      owner.release()
    })
  }

  get aborted(): boolean {
    return this.#aborted
  }

  /**
   * @returns what is wrong with the reply if xenstored cannot have meant it: the connection is out of step then
   */
  settle(reply: StoreMessage): XenStoreError | undefined {
    const { type, subject, late, mayBeUnreadable } = this.request
    const { payload } = reply
    if (reply.type === MessageType.error) {
      const text = payload.toString('latin1', 0, payload.at(-1) === NUL ? payload.length - 1 : payload.length)
      if (!ERROR_NAME.test(text))
        return protocolError('xenstored answers with an error that has no name', subject)
      this.#end()
      if (this.#aborted) late?.(undefined)
      else if (mayBeUnreadable && isUnreadable(text)) this.#resolve(UNREADABLE)
      else this.#reject(refusal(text, subject))
      return undefined
    }
    if (reply.type !== type)
      return protocolError(`xenstored answers request type ${type} with type ${reply.type}`, subject)
    this.#end()
    if (this.#aborted) late?.(payload)
    else this.#resolve(payload)
    return undefined
  }

  /** There will be no answer. */
  fail(reason: XenStoreError): void {
    this.#end()
    if (this.#aborted) this.request.late?.(undefined)
    else this.#reject(unanswered(reason, this.request.subject, this.sentAt >= 0))
  }

  #end(): void {
    this.#takeBack?.()
  }
}
