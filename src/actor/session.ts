import type { SessionEvent } from '../protocol/messages.js'
import type { GrantRecord } from './grants.js'
import type { Request } from './request.js'

/** One client as the actor sees it: what it has asked for, what it owns, what it holds. */
export class ClientSession {
  /** Received, not carried out. Consumed from `#head` so that taking one is cheap however long the queue. */
  #queue: Request[] = []
  #head = 0
  /** Ids of all requests that have been accepted and not answered. */
  readonly pending = new Set<number>()
  /** Requests that wait for pages or leases, by id. */
  readonly waiting = new Map<number, Request>()
  /** Grants this client has a lease of. */
  readonly held = new Set<GrantRecord>()
  ended = false

  /**
   * @param push delivers to the client; never throws, also when the client is gone
   * @param hangUp closes the line to it
   */
  constructor(
    readonly push: (event: SessionEvent) => void,
    readonly hangUp: () => void,
  ) {}

  get queued(): number {
    return this.#queue.length - this.#head
  }

  enqueue(request: Request): void {
    this.#queue.push(request)
  }

  dequeue(): Request | undefined {
    const request = this.#queue[this.#head]
    if (!request) return undefined
    this.#head++
    if (this.#head === this.#queue.length) {
      this.#queue = []
      this.#head = 0
    }
    return request
  }
}
