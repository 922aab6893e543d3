import { EventEmitter } from 'node:events'
import { untilAborted } from '../abort.js'
import { checkOptions, checkSignal } from '../arguments.js'
import { closedError, type GrantError } from '../errors.js'

interface EventChannelEvents {
  /** The other end has notified, once or more often. */
  event: []
  /** Nothing will come any more. */
  close: []
}

export interface WaitOptions {
  signal?: AbortSignal
}

/** What a channel needs of the one that owns all channels. */
export interface ChannelOwner {
  notify(port: number): void
  unbind(port: number): Promise<void>
  /** While somebody waits, the process is kept alive. */
  waiting(change: 1 | -1): void
}

/**
 * One local port. Events coalesce, as they do in hardware: several notifications before the first is delivered are one
 * event. The first event after `bindInterdomain` may come without a notification (Xen sends it), so an event means
 * "look", never "one more".
 *
 * Listen to 'event', wait for one, or iterate: `for await (const _ of channel)`. An event that comes while nobody
 * listens or waits is kept for the next who does.
 */
export class EventChannel extends EventEmitter<EventChannelEvents> implements AsyncIterable<void> {
  /** Local port: what the other end binds to, and what an unmap notification names. */
  readonly port: number
  readonly #owner: ChannelOwner
  readonly #waiters = new Set<{ resolve(): void; reject(error: unknown): void }>()
  #pending = false
  #listening = false
  #closed: GrantError | undefined

  /** @internal */
  constructor(port: number, owner: ChannelOwner) {
    super()
    this.port = port
    this.#owner = owner
    ;(this as EventEmitter).on('newListener', (name) => {
      if (name === 'event') this.#listen(true)
    })
    ;(this as EventEmitter).on('removeListener', (name) => {
      if (name === 'event' && this.listenerCount('event') === 0) this.#listen(false)
    })
  }

  /** Sends an event to the other end, if there is one. Those of one turn travel together. @throws ERR_GRANTS_CLOSED */
  notify(): void {
    if (this.#closed) throw this.#closed
    this.#owner.notify(this.port)
  }

  /** Resolves with the next event. @throws GrantError ERR_GRANTS_CLOSED when the channel is closed; the signal's reason */
  async wait(options?: WaitOptions): Promise<void> {
    const { signal } = checkOptions<WaitOptions>('options', options, ['signal'])
    checkSignal('options.signal', signal)
    if (this.#pending) {
      this.#pending = false
      return
    }
    if (this.#closed) throw this.#closed
    let waiter = { resolve: (): void => {}, reject: (_: unknown): void => {} }
    const event = new Promise<void>((resolve, reject) => {
      waiter = { resolve, reject }
    })
    this.#waiters.add(waiter)
    this.#owner.waiting(1)
    try {
      await untilAborted(event, signal)
    } finally {
      this.#waiters.delete(waiter)
      this.#owner.waiting(-1)
    }
  }

  /** Ends when the channel is closed; throws when its worker dies. */
  async *[Symbol.asyncIterator](): AsyncGenerator<void, void, undefined> {
    for (;;) {
      try {
        await this.wait()
      } catch (error) {
        if (error === this.#closed && this.#closed?.code === 'ERR_GRANTS_CLOSED') return
        throw error
      }
      yield
    }
  }

  /** Unbinds the port. An unmap notification that names it still fires. Whoever waits is told. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.end(closedError())
    await this.#owner.unbind(this.port)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** @internal */
  deliver(): void {
    const listened = this.emit('event')
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    for (const { resolve } of waiters) resolve()
    if (!listened && waiters.length === 0) this.#pending = true
  }

  /** @internal */
  end(error: GrantError): void {
    if (this.#closed) return
    this.#closed = error
    this.#listen(false)
    for (const { reject } of this.#waiters) reject(error)
    this.emit('close')
  }

  #listen(listening: boolean): void {
    if (listening === this.#listening || (listening && this.#closed)) return
    this.#listening = listening
    this.#owner.waiting(listening ? 1 : -1)
    if (!listening || !this.#pending) return
    // The listener that is being added is not in place yet.
    this.#pending = false
    queueMicrotask(() => this.emit('event'))
  }
}
