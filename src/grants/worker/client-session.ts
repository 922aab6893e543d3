import { toEnvelope } from '../../threads/envelope.js'
import type { FailedRequest, Reply, SessionEvent } from '../grant-messages.js'

/** Answers that go out before the turn is over: by then the client's thread has something to do while this one goes on. */
const PART = 128

/** One client as the actor sees it: what it has asked for, and what it is to be told. */
export class ClientSession {
  /** Ids of all requests that have been accepted and not answered. */
  readonly pending = new Set<number>()
  /** Those of them that wait for pages or leases. */
  readonly waiting = new Set<number>()
  ended = false
  #done: number[] = []
  #buffers: SharedArrayBuffer[] = []
  #failed: FailedRequest[] = []
  #answers = 0
  readonly #post: (message: Reply | SessionEvent) => void

  /**
   * @param post delivers to the client; never throws, also when the client is gone
   * @param hangUp closes the line to it
   */
  constructor(
    post: (message: Reply | SessionEvent) => void,
    readonly hangUp: () => void,
  ) {
    this.#post = post
  }

  /** Goes out with the next {@link flush}, or earlier. */
  answer(requestId: number, values: readonly number[], buffer: SharedArrayBuffer | undefined): void {
    this.#done.push(requestId, values.length + (buffer ? 1 : 0))
    if (buffer) this.#done.push(this.#buffers.push(buffer) - 1)
    for (let i = 0; i < values.length; i++) this.#done.push(values[i]!)
    this.#answered()
  }

  /** The same for a request that has failed. */
  refuse(requestId: number, error: unknown): void {
    this.#failed.push({ requestId, error: toEnvelope(error) })
    this.#answered()
  }

  #answered(): void {
    if (++this.#answers === PART) this.flush()
  }

  /** Delivers an event, after every answer that has been given before. */
  push(event: SessionEvent): void {
    this.flush()
    this.#post(event)
  }

  flush(): void {
    if (this.#answers === 0) return
    // Each array more has to be cloned as well, and most answers need only the first.
    const reply: Reply =
      this.#failed.length > 0
        ? [this.#done, this.#buffers, this.#failed]
        : this.#buffers.length > 0
          ? [this.#done, this.#buffers]
          : [this.#done]
    this.#done = []
    this.#buffers = []
    this.#failed = []
    this.#answers = 0
    this.#post(reply)
  }
}
