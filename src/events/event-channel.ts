import { EventEmitter } from 'node:events'
import { type InspectOptionsStylized, inspect } from 'node:util'
import { untilAborted } from '../abort.js'
import { checkOptions, checkSignal } from '../arguments.js'
import { closedError, type GrantError } from '../errors.js'
import { inLine } from '../inspect.js'

interface EventChannelEvents {
  /** The other end has notified, once or more often. */
  event: []
  /** Nothing will come any more. */
  close: []
}

/** How to wait for an event. */
export interface WaitOptions {
  signal?: AbortSignal | undefined
}

/** What only the one that owns all channels may do with one. */
export interface ChannelControl {
  readonly port: number
  /** It has fired. */
  deliver(): void
  /** Nothing will come any more. */
  end(error: GrantError): void
}

/** What a channel needs of the one that owns all channels. */
export interface ChannelOwner {
  /** Called once, by the constructor. */
  opened(control: ChannelControl): void
  notify(port: number): void
  unbind(port: number): Promise<void>
  /** While there is a listener or a pending wait, the process is kept alive. */
  waiting(change: number): void
}

interface Waiter {
  resolve(): void
  reject(error: unknown): void
}

/**
 * One local port. Events coalesce, as they do in hardware: several notifications before the first is delivered are one
 * event. The first event after `bindInterdomain` may come without a notification (Xen sends it), so an event means
 * "look", never "one more".
 *
 * Listen to 'event', wait for one, or iterate: `for await (const _ of channel)`. An event that comes while there
 * is neither listener nor wait is kept for the next.
 */
export class EventChannel extends EventEmitter<EventChannelEvents> implements AsyncIterable<void> {
  /** Local port: what the other end binds to, and what an unmap notification names. */
  readonly port: number
  readonly #owner: ChannelOwner
  readonly #waiters = new Set<Waiter>()
  #pending = false
  #listening = false
  #referenced = true
  #over = false
  #reason: GrantError | undefined

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
    owner.opened({ port, deliver: () => this.#deliver(), end: (error) => this.#end(error) })
  }

  /**
   * Sends an event to the other end, if there is one: at once, before this returns. What the system refuses is an 'error' of
   * the EventChannels.
   * @throws GrantError ERR_GRANTS_CLOSED
   */
  notify(): void {
    if (this.#over) throw this.ended
    this.#owner.notify(this.port)
  }

  /** Why nothing will come any more, if so: it has been closed, or its worker has died. */
  get ended(): GrantError | undefined {
    if (!this.#over) return undefined
    // Made when somebody wants to know: most channels are closed by who has no use for them any more.
    this.#reason ??= closedError('the event channel')
    return this.#reason
  }

  /** Listeners keep the process alive, as they do from the beginning. */
  ref(): this {
    this.#reference(true)
    return this
  }

  /** Listeners do not keep the process alive. Waits do, all the same. */
  unref(): this {
    this.#reference(false)
    return this
  }

  #reference(referenced: boolean): void {
    if (referenced === this.#referenced) return
    this.#referenced = referenced
    if (this.#listening) this.#owner.waiting(referenced ? 1 : -1)
  }

  /** Resolves with the next event. @throws GrantError ERR_GRANTS_CLOSED when the channel is closed; the signal's reason */
  wait(options?: WaitOptions): Promise<void> {
    return options === undefined ? this.#next(() => {}) : this.#nextUnlessAborted(options)
  }

  async #nextUnlessAborted(options: WaitOptions): Promise<void> {
    const { signal } = checkOptions<WaitOptions>('options', options, ['signal'])
    checkSignal('options.signal', signal)
    let waiter: Waiter | undefined
    const next = this.#next((added) => {
      waiter = added
    })
    try {
      await untilAborted(next, signal)
    } finally {
      if (waiter && this.#waiters.delete(waiter)) this.#owner.waiting(-1)
    }
  }

  #next(added: (waiter: Waiter) => void): Promise<void> {
    if (this.#pending) {
      this.#pending = false
      return Promise.resolve()
    }
    if (this.#over) return Promise.reject(this.ended)
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject }
      this.#waiters.add(waiter)
      this.#owner.waiting(1)
      added(waiter)
    })
  }

  /** Ends when the channel is closed; throws when its worker dies. */
  async *[Symbol.asyncIterator](): AsyncGenerator<void, void, undefined> {
    for (;;) {
      try {
        await this.wait()
      } catch (error) {
        if (error === this.#reason && this.#reason?.code === 'ERR_GRANTS_CLOSED') return
        throw error
      }
      yield
    }
  }

  /** Unbinds the port. An unmap notification that names it still fires. Pending waits reject. Idempotent. */
  async close(): Promise<void> {
    if (this.#over) return
    this.#end(undefined)
    await this.#owner.unbind(this.port)
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    return inLine('EventChannel', { port: this.port, state: this.#over ? 'closed' : 'open' }, options)
  }

  /** For `await using`: {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #deliver(): void {
    const woken = this.#wake((waiter) => waiter.resolve())
    if (!this.emit('event') && !woken) this.#pending = true
  }

  /** @param reason undefined: its own close() */
  #end(reason: GrantError | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#reason = reason
    this.#listen(false)
    this.#wake((waiter) => waiter.reject(this.ended))
    this.emit('close')
  }

  /** @returns whether there was a waiter */
  #wake(wake: (waiter: Waiter) => void): boolean {
    const { size } = this.#waiters
    if (size === 0) return false
    for (const waiter of this.#waiters) wake(waiter)
    this.#waiters.clear()
    this.#owner.waiting(-size)
    return true
  }

  #listen(listening: boolean): void {
    if (listening === this.#listening || (listening && this.#over)) return
    this.#listening = listening
    if (this.#referenced) this.#owner.waiting(listening ? 1 : -1)
    if (!listening || !this.#pending) return
    // The listener that is being added is not in place yet.
    this.#pending = false
    queueMicrotask(() => this.emit('event'))
  }
}
