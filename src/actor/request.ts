import { RequestField } from '../protocol/messages.js'
import type { ClientSession } from './session.js'

/** One request of a client. Answered exactly once: at the end of the turn, or later if it has to wait. */
export class Request {
  readonly id: number
  readonly op: number
  readonly a: number
  readonly b: number
  readonly c: number
  readonly d: number
  readonly session: ClientSession
  #accepted = false

  constructor(session: ClientSession, numbers: Float64Array, at: number) {
    this.session = session
    this.id = numbers[at + RequestField.requestId]!
    this.op = numbers[at + RequestField.op]!
    this.a = numbers[at + RequestField.a]!
    this.b = numbers[at + RequestField.b]!
    this.c = numbers[at + RequestField.c]!
    this.d = numbers[at + RequestField.d]!
  }

  /** From now on its id stands for it, until it is answered. */
  accept(): void {
    this.#accepted = true
    this.session.pending.add(this.id)
  }

  /** @param buffer what the answer brings, see `Reply` */
  complete(values: readonly number[] = [], buffer?: SharedArrayBuffer): void {
    this.#answered()
    this.session.answer(this.id, values, buffer)
  }

  fail(error: unknown): void {
    this.#answered()
    this.session.refuse(this.id, error)
  }

  /** The answer has to wait for something. */
  defer(): void {
    this.session.waiting.set(this.id, this)
  }

  #answered(): void {
    if (!this.#accepted) return
    this.session.pending.delete(this.id)
    this.session.waiting.delete(this.id)
  }
}
