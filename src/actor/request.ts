import { toEnvelope } from '../protocol/envelope.js'
import { type FailedRequest, type Reply, RequestField } from '../protocol/messages.js'
import type { ClientSession } from './session.js'

/** Answers that go out together: by then the client's thread has something to do while this one does the rest. */
const PART = 128

/** One submitted batch on its way through the actor: collects answers until none is outstanding. */
export class Batch {
  #done: number[] = []
  #failed: FailedRequest[] = []
  #answers = 0
  #outstanding: number
  readonly #push: (part: Reply) => void
  readonly #resolve: (rest: Reply) => void

  /**
   * @param push delivers a part of the answers at once
   * @param resolve gets the rest, with the last
   */
  constructor(size: number, push: (part: Reply) => void, resolve: (rest: Reply) => void) {
    this.#outstanding = size
    this.#push = push
    this.#resolve = resolve
    if (size === 0) resolve(this.#take())
  }

  settle(requestId: number, values: readonly number[] | Float64Array): void {
    this.#done.push(requestId, values.length)
    for (let i = 0; i < values.length; i++) this.#done.push(values[i]!)
    this.#answered()
  }

  fail(requestId: number, error: unknown): void {
    this.#failed.push({ requestId, error: toEnvelope(error) })
    this.#answered()
  }

  #answered(): void {
    this.#answers++
    if (this.#answers === PART && this.#outstanding > 1) this.#push(this.#take())
    this.release()
  }

  /** One request fewer to wait for. The reply goes out with the last. */
  release(): void {
    if (--this.#outstanding === 0) this.#resolve(this.#take())
  }

  #take(): Reply {
    const reply = { done: new Float64Array(this.#done), failed: this.#failed }
    this.#done = []
    this.#failed = []
    this.#answers = 0
    return reply
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
