import type { SessionEvent } from '../grant-messages.js'
import type { ClientSession } from './client-session.js'
import type { Request } from './request.js'
import { RequestQueue } from './request-queue.js'

/** The clients of a device actor, and whose turn it is. */
export class ClientSessions {
  readonly #queues = new Map<ClientSession, RequestQueue>()

  add(session: ClientSession): void {
    this.#queues.set(session, new RequestQueue())
  }

  /** @returns what it has asked for and has not got */
  remove(session: ClientSession): RequestQueue {
    const queue = this.#queues.get(session) ?? new RequestQueue()
    this.#queues.delete(session)
    return queue
  }

  get count(): number {
    return this.#queues.size
  }

  /** A copy: they may go while it is looked at. */
  all(): ClientSession[] {
    return [...this.#queues.keys()]
  }

  tell(event: SessionEvent): void {
    for (const session of this.#queues.keys()) session.push(event)
  }

  /** Sends what has been answered. */
  flush(): void {
    for (const session of this.#queues.keys()) session.flush()
  }

  enqueue(request: Request): void {
    this.#queues.get(request.session)!.add(request)
  }

  /** Requests received and not yet carried out. */
  get queued(): number {
    let queued = 0
    for (const queue of this.#queues.values()) queued += queue.length
    return queued
  }

  /** Requests that wait for pages or leases. */
  get waiting(): number {
    let waiting = 0
    for (const session of this.#queues.keys()) waiting += session.waiting.size
    return waiting
  }

  /** Up to so many requests, one of each client in rotation. */
  take(most: number): Request[] {
    const taken: Request[] = []
    let busy = [...this.#queues.values()].filter((queue) => queue.length > 0)
    while (busy.length > 0 && taken.length < most) {
      for (const queue of busy) taken.push(queue.take()!)
      busy = busy.filter((queue) => queue.length > 0)
    }
    return taken
  }
}
