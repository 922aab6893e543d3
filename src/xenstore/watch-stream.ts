import { onAbort } from '../abort.js'
import { Marks } from './marks.js'
import type { StoreConnection } from './store-connection.js'
import { unanswered, type XenStoreError } from './store-error.js'
import type { Watches } from './watches.js'

/** That something has changed, and never what it is now: read it. */
export interface StoreChange {
  /**
   * The node that was written, made or removed, or whose permissions were set: the watched path or one below it, spelt as the
   * watched path was. When very many have changed between two looks, the watched path stands for all of them.
   */
  path: string
  /** True the first time: nothing needs to have changed. */
  initial: boolean
}

/**
 * Iterates over changes until it is left, its signal is aborted or the store is closed.
 *
 * An AsyncIterableIterator, which before TypeScript 5.6 has not all type parameters.
 */
export interface StoreWatch extends AsyncIterator<StoreChange, undefined, undefined>, AsyncDisposable {
  /** Who waits for a change keeps the process alive, as from the beginning. */
  ref(): this
  /** Who waits for a change does not keep the process alive. */
  unref(): this
  /** Itself. */
  [Symbol.asyncIterator](): StoreWatch
}

interface Waiter {
  resolve(result: IteratorResult<StoreChange, undefined>): void
  reject(error: unknown): void
}

const DONE: IteratorResult<StoreChange, undefined> = { done: true, value: undefined }

/** What a watch needs of its store. */
export interface WatchContext {
  readonly connection: StoreConnection
  readonly watches: Watches
}

/**
 * Changes of one path or of several. The watch begins with the first `next()`. A generator would not do: leaving one while
 * it waits takes until it has what it waits for.
 */
export class WatchStream implements StoreWatch {
  readonly #context: WatchContext
  readonly #paths: readonly string[]
  readonly #signal: AbortSignal | undefined
  readonly #marks: Marks
  readonly #waiters: Waiter[] = []
  #referenced = true
  #initial = true
  #state: 'new' | 'open' | 'ended' = 'new'
  /** Thrown by the next `next()`. */
  #failure: { error: unknown } | undefined
  #ended: Promise<void> = Promise.resolve()

  constructor(context: WatchContext, paths: readonly string[], signal: AbortSignal | undefined) {
    this.#context = context
    this.#paths = paths
    this.#signal = signal
    this.#marks = new Marks(paths[0]!)
  }

  next(): Promise<IteratorResult<StoreChange, undefined>> {
    if (this.#state === 'new') this.#begin()
    const path = this.#marks.take()
    if (path !== undefined) return Promise.resolve({ done: false, value: this.#change(path) })
    if (this.#state === 'ended') return this.#end()
    return new Promise((resolve, reject) => {
      if (this.#referenced) this.#context.connection.hold()
      this.#waiters.push({ resolve, reject })
    })
  }

  ref(): this {
    this.#reference(true)
    return this
  }

  unref(): this {
    this.#reference(false)
    return this
  }

  #reference(referenced: boolean): void {
    if (referenced === this.#referenced) return
    this.#referenced = referenced
    const { connection } = this.#context
    for (const _ of this.#waiters) {
      if (referenced) connection.hold()
      else connection.release()
    }
  }

  /** Ends the watch; resolves when xenstored has forgotten it. */
  async return(): Promise<IteratorResult<StoreChange, undefined>> {
    this.#stop()
    await this.#ended
    return DONE
  }

  async throw(error: unknown): Promise<never> {
    await this.return()
    throw error
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  #begin(): void {
    const { lost } = this.#context.connection
    if (this.#signal?.aborted) this.#fail(this.#signal.reason)
    else if (lost) this.#fail(unanswered(lost, { operation: 'watch', path: this.#paths[0] }, false))
    else {
      this.#state = 'open'
      const signal = this.#signal
      if (signal) this.#takeBack = onAbort(signal, () => this.#fail(signal.reason))
      for (const path of this.#paths) this.#context.watches.subscribe(path, this.#subscriber)
    }
  }

  readonly #subscriber = {
    mark: (path: string): void => {
      const waiter = this.#waiters.shift()
      if (!waiter) {
        this.#marks.add(path)
        return
      }
      if (this.#referenced) this.#context.connection.release()
      waiter.resolve({ done: false, value: this.#change(path) })
    },
    fail: (error: XenStoreError): void => {
      // Closed by its own program while it watched, which is an end as good as any.
      if (error.code === 'ERR_GRANTS_CLOSED') this.#stop()
      else this.#fail(error)
    },
  }

  /** Of the signal. */
  #takeBack: (() => void) | undefined

  #change(path: string): StoreChange {
    const initial = this.#initial
    this.#initial = false
    return { path, initial }
  }

  #fail(error: unknown): void {
    if (this.#state === 'ended') return
    this.#failure = { error }
    this.#stop()
  }

  /** Idempotent. Waiters get the failure, if there is one, and otherwise the end. */
  #stop(): void {
    if (this.#state === 'ended') return
    const subscribed = this.#state === 'open'
    this.#state = 'ended'
    while (this.#marks.take() !== undefined);
    for (const waiter of this.#waiters.splice(0)) {
      if (this.#referenced) this.#context.connection.release()
      this.#end().then(waiter.resolve, waiter.reject)
    }
    if (!subscribed) return
    this.#takeBack?.()
    const { watches } = this.#context
    const ends = this.#paths.map((path) => watches.unsubscribe(path, this.#subscriber))
    this.#ended = Promise.all(ends).then(() => {})
  }

  /** The failure once, then the end. */
  #end(): Promise<IteratorResult<StoreChange, undefined>> {
    const failure = this.#failure
    this.#failure = undefined
    return failure ? Promise.reject(failure.error) : Promise.resolve(DONE)
  }
}
