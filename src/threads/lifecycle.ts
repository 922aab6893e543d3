import type { EventEmitter } from 'node:events'
import { closedError } from '../errors.js'

interface EndEvents {
  close: []
  error: [Error]
}

/** What every service goes through once: open, then closing and closed, or lost with its worker. */
export class Lifecycle {
  readonly #what: string | undefined
  #closing: Promise<void> | undefined
  #lost: Error | undefined

  /** @param what "the grant server", which is the default */
  constructor(what?: string) {
    this.#what = what
  }

  /** Whether it is being closed, or has been. */
  get closing(): boolean {
    return this.#closing !== undefined
  }

  /** Why there is no worker any more, if that was not asked for. */
  get lost(): Error | undefined {
    return this.#lost
  }

  /** For people. */
  get state(): string {
    if (this.#lost) return 'lost'
    return this.#closing ? 'closed' : 'open'
  }

  lose(error: Error): void {
    this.#lost ??= error
  }

  /** @throws GrantError ERR_GRANTS_CLOSED, or what the service was lost with */
  mustBeOpen(): void {
    if (this.#lost) throw this.#lost
    if (this.#closing) throw closedError(this.#what)
  }

  /** Closes with `end` the first time; each call resolves with that end. What is lost has nothing left to close. */
  close(end: () => Promise<void>): Promise<void> {
    if (this.#lost && !this.#closing) return Promise.resolve()
    this.#closing ??= end()
    return this.#closing
  }
}

/** Emits that a service is over, and why if close() was not called. */
export function announceEnd(service: EventEmitter<EndEvents>, error: Error | undefined): void {
  // Not in a promise: what an emitter without a listener throws is an uncaught exception and not a rejection.
  queueMicrotask(() => {
    service.emit('close')
    if (error) service.emit('error', error)
  })
}
