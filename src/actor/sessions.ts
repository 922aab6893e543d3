import type { SessionEvent } from '../protocol/messages.js'
import type { Request } from './request.js'
import type { ClientSession } from './session.js'

/** The clients of a device actor, and whose turn it is. */
export class Sessions {
  readonly #all = new Set<ClientSession>()

  add(session: ClientSession): void {
    this.#all.add(session)
  }

  delete(session: ClientSession): void {
    this.#all.delete(session)
  }

  get count(): number {
    return this.#all.size
  }

  /** A copy: they may go while it is looked at. */
  all(): ClientSession[] {
    return [...this.#all]
  }

  tell(event: SessionEvent): void {
    for (const session of this.#all) session.push(event)
  }

  /** Sends what has been answered. */
  flush(): void {
    for (const session of this.#all) session.flush()
  }

  /** Requests received and not yet carried out. */
  get queued(): number {
    let queued = 0
    for (const session of this.#all) queued += session.queued
    return queued
  }

  /** Requests that wait for pages or leases. */
  get waiting(): number {
    let waiting = 0
    for (const session of this.#all) waiting += session.waiting.size
    return waiting
  }

  /** Up to so many requests, one of each client in rotation. */
  take(most: number): Request[] {
    const taken: Request[] = []
    let busy = this.all().filter((session) => session.queued > 0)
    while (busy.length > 0 && taken.length < most) {
      for (const session of busy) taken.push(session.dequeue()!)
      busy = busy.filter((session) => session.queued > 0)
    }
    return taken
  }
}
