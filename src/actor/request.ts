import { toEnvelope } from '../protocol/envelope.js'
import { type FailedRequest, type Reply, RequestField } from '../protocol/messages.js'
import type { ClientSession } from './session.js'

/** One submitted batch on its way through the actor: collects answers until none is outstanding. */
export class Batch {
  readonly #done: number[] = []
  readonly #failed: FailedRequest[] = []
  #outstanding: number
  readonly #resolve: (reply: Reply) => void

  constructor(size: number, resolve: (reply: Reply) => void) {
    this.#outstanding = size
    this.#resolve = resolve
    if (size === 0) resolve({ done: new Float64Array(), failed: [] })
  }

  settle(requestId: number, values: readonly number[] | Float64Array): void {
    this.#done.push(requestId, values.length)
    for (let i = 0; i < values.length; i++) this.#done.push(values[i]!)
    this.release()
  }

  fail(requestId: number, error: unknown): void {
    this.#failed.push({ requestId, error: toEnvelope(error) })
    this.release()
  }

  /** One request fewer to wait for. The reply goes out with the last. */
  release(): void {
    if (--this.#outstanding === 0) {
      this.#resolve({ done: new Float64Array(this.#done), failed: this.#failed })
    }
  }
}

/** One request of a client. Answered exactly once: with its batch, or later through the client's event port. */
export class Request {
  readonly id: number
  readonly op: number
  readonly a: number
  readonly b: number
  readonly c: number
  readonly d: number
  readonly session: ClientSession
  #batch: Batch | undefined
  #accepted = false

  constructor(session: ClientSession, batch: Batch, numbers: Float64Array, at: number) {
    this.session = session
    this.#batch = batch
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

  #answered(): void {
    if (this.#accepted) this.session.pending.delete(this.id)
  }

  complete(values: readonly number[] | Float64Array = []): void {
    this.#answered()
    if (this.#batch) {
      this.#batch.settle(this.id, values)
      return
    }
    const done = new Float64Array(2 + values.length)
    done[0] = this.id
    done[1] = values.length
    done.set(values, 2)
    this.#late({ done, failed: [] })
  }

  fail(error: unknown): void {
    this.#answered()
    if (this.#batch) {
      this.#batch.fail(this.id, error)
      return
    }
    this.#late({ done: new Float64Array(), failed: [{ requestId: this.id, error: toEnvelope(error) }] })
  }

  /** The answer has to wait for something: its batch must not. */
  defer(): void {
    const batch = this.#batch
    if (!batch) return
    this.#batch = undefined
    this.session.waiting.set(this.id, this)
    batch.release()
  }

  #late(reply: Reply): void {
    this.session.waiting.delete(this.id)
    this.session.push({ type: 'reply', reply })
  }
}
