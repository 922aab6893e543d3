import type { GrantDevice } from '../../dist/src/drivers/gntalloc/grant-device.js'
import type { GrantError } from '../../dist/src/errors.js'
import {
  type BudgetOptions,
  Op,
  type Reply,
  type SessionEvent,
} from '../../dist/src/grants/grant-messages.js'
import type { ClientSession } from '../../dist/src/grants/worker/client-session.js'
import { DeviceActor } from '../../dist/src/grants/worker/device-actor.js'
import { fromEnvelope } from '../../dist/src/threads/envelope.js'

/** An actor in this thread, over a device of the test's, with what went wrong unasked. */
export function startActor(device: GrantDevice, budget: Partial<BudgetOptions> = {}, scrub = false) {
  const errors: GrantError[] = []
  const actor = new DeviceActor(device, {
    server: 'test',
    serverThread: 0,
    budget: { maxPages: undefined, maxPagesPerDomain: undefined, maxQueue: 1000, headroom: 0, ...budget },
    scrub,
    onError: (error) => errors.push(error as GrantError),
  })
  return { actor, errors, client: () => new ActorClient(actor) }
}

/** A client without a thread: asks, sends what it has asked as one batch, and keeps the answers. */
export class ActorClient {
  readonly session: ClientSession
  /** By request: the values, or the error. */
  readonly answers = new Map<number, number[] | GrantError>()
  readonly events: SessionEvent[] = []
  /** Numbers of requests that were answered, and types of events, as they came. */
  readonly heard: (number | string)[] = []
  /** Memory of its grants, by id. */
  readonly buffers = new Map<number, SharedArrayBuffer>()
  readonly #shares = new Set<number>()
  readonly #actor: DeviceActor
  #batch: number[] = []
  #next = 1

  constructor(actor: DeviceActor) {
    this.#actor = actor
    this.session = actor.connect(
      (event) => {
        if (Array.isArray(event)) this.#take(event)
        else this.#hear(event)
      },
      () => {},
    )
  }

  /** @returns the number of the request */
  ask(op: number, a: number, b = 0, c = 0, d = 0): number {
    this.#batch.push(this.#next, op, a, b, c, d)
    if (op === Op.share) this.#shares.add(this.#next)
    return this.#next++
  }

  /** Resolves when everything asked has been answered or waits. */
  async send(): Promise<void> {
    this.submit()
    // A turn takes a bounded number of requests.
    do await turn()
    while (this.#actor.stats().queued > 0)
  }

  /** Sends what has been asked; what becomes of it is seen after a {@link turn}. */
  submit(): void {
    this.#actor.submit(this.session, this.#batch)
    this.#batch = []
  }

  /** Shares and gives the id of the grant. */
  async share(domid: number, pages: number, flags = 0): Promise<number> {
    const request = this.ask(Op.share, domid, pages, flags)
    await this.send()
    return this.id(request)
  }

  id(request: number): number {
    const answer = this.answers.get(request)
    if (!Array.isArray(answer)) throw answer ?? new Error(`request ${request} has not been answered`)
    return answer[0]!
  }

  /** Of these requests: 'ok', the code of the error, or 'waiting'. */
  fates(requests: number[]): string[] {
    return requests.map((request) => {
      const answer = this.answers.get(request)
      if (answer === undefined) return 'waiting'
      return Array.isArray(answer) ? 'ok' : answer.code
    })
  }

  end(): void {
    this.#actor.end(this.session)
  }

  #hear(event: SessionEvent): void {
    this.heard.push(event.type)
    this.events.push(event)
  }

  #take([done, buffers = [], failed = []]: Reply): void {
    for (let at = 0; at < done.length; at += 2 + done[at + 1]!) {
      const values = done.slice(at + 2, at + 2 + done[at + 1]!)
      // Of a grant: where its buffer is, then its id.
      const grant = this.#shares.has(done[at]!)
      if (grant) this.buffers.set(values[1]!, buffers[values[0]!]!)
      this.#answer(done[at]!, grant ? values.slice(1) : values)
    }
    for (const { requestId, error } of failed) this.#answer(requestId, fromEnvelope(error) as GrantError)
  }

  #answer(request: number, answer: number[] | GrantError): void {
    if (this.answers.has(request)) throw new Error(`request ${request} was answered twice`)
    this.heard.push(request)
    this.answers.set(request, answer)
  }
}

/** Lets the actor take the turn it has scheduled. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
