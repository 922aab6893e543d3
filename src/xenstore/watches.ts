import process from 'node:process'
import { MessageType } from '../drivers/xenbus/wire.js'
import { expectOk, strings } from './caller.js'
import type { StoreConnection } from './store-connection.js'
import { protocolError, unanswered, type XenStoreError } from './store-error.js'

/** One that is told of changes. None of these may throw. */
export interface Subscriber {
  /** `path`, or something below it that has changed; at first, the watched path itself. */
  mark(path: string): void
  /** Nothing will come. */
  fail(error: XenStoreError): void
}

/** A watch at xenstored. Those who watch the same path share it: domains may have only so many. */
interface SharedWatch {
  readonly path: string
  readonly token: string
  readonly subscribers: Set<Subscriber>
  /** Whether the first event has come, which every watch gets at once. */
  fired: boolean
  /** Resolves when xenstored has accepted or refused it. */
  registered: Promise<void>
}

/**
 * The watches of one connection. Each has a token of its own, never used again: two programs with one token take each
 * other's events away. The token is known here before xenstored hears of it, since the first event and the OK come in either
 * order, and forgotten when the watch has ended, after which its events may still be on their way.
 */
export class Watches {
  readonly #connection: StoreConnection
  readonly #byPath = new Map<string, SharedWatch>()
  readonly #byToken = new Map<string, SharedWatch>()
  /** Requests about watches wait for no others. */
  readonly #lane = {}
  readonly #prefix = `xen-grants-${process.pid}-${Math.random().toString(36).slice(2)}-`
  #next = 1

  constructor(connection: StoreConnection) {
    this.#connection = connection
    connection.onEvent = (path, token) => this.#event(path, token)
  }

  /** Tells the subscriber at least once, or that it cannot. */
  subscribe(path: string, subscriber: Subscriber): void {
    const shared = this.#byPath.get(path) ?? this.#register(path)
    shared.subscribers.add(subscriber)
    if (shared.fired) subscriber.mark(path)
  }

  /** Resolves when xenstored has forgotten the watch, if that was the last of its subscribers. Never rejects. */
  async unsubscribe(path: string, subscriber: Subscriber): Promise<void> {
    const shared = this.#byPath.get(path)
    if (!shared?.subscribers.delete(subscriber) || shared.subscribers.size > 0) return
    // Who watches the path from now on gets another, with another token.
    this.#byPath.delete(path)
    try {
      await shared.registered
      await this.#request('unwatch', MessageType.unwatch, shared)
    } catch {
      // Refused, or gone with the connection: there is no watch, which is all that was wanted.
    } finally {
      this.#byToken.delete(shared.token)
    }
  }

  /** The connection has gone, and all watches with it. */
  end(reason: XenStoreError): void {
    const all = [...this.#byPath.values()]
    this.#byPath.clear()
    this.#byToken.clear()
    for (const shared of all)
      failAll(shared, unanswered(reason, { operation: 'watch', path: shared.path }, false))
  }

  #register(path: string): SharedWatch {
    const token = this.#prefix + this.#next++
    const shared: SharedWatch = {
      path,
      token,
      subscribers: new Set(),
      fired: false,
      registered: Promise.resolve(),
    }
    this.#byPath.set(path, shared)
    this.#byToken.set(token, shared)
    shared.registered = this.#request('watch', MessageType.watch, shared)
    shared.registered.catch((error: XenStoreError) => {
      this.#byToken.delete(token)
      if (this.#byPath.get(path) === shared) this.#byPath.delete(path)
      failAll(shared, error)
    })
    return shared
  }

  async #request(operation: string, type: number, { path, token }: SharedWatch): Promise<void> {
    const subject = { operation, path }
    const request = { type, message: strings(path, token), transactionId: 0, subject, lane: this.#lane }
    expectOk(await this.#connection.request(request), subject)
  }

  /** @returns what is wrong with an event that is none of ours */
  #event(path: string, token: string): XenStoreError | undefined {
    const shared = this.#byToken.get(token)
    if (!shared) {
      if (token.startsWith(this.#prefix)) return undefined
      return protocolError('xenstored sends an event with a token that was not given to it', {
        operation: 'watch',
        path,
      })
    }
    shared.fired = true
    for (const subscriber of shared.subscribers) subscriber.mark(path)
    return undefined
  }
}

function failAll({ subscribers }: SharedWatch, error: XenStoreError): void {
  const all = [...subscribers]
  subscribers.clear()
  for (const subscriber of all) subscriber.fail(error)
}
