import type { AsyncLocalStorage } from 'node:async_hooks'
import { performance } from 'node:perf_hooks'
import { pause, untilAborted } from '../abort.js'
import { Semaphore } from '../semaphore.js'
import { type Attempt, ended, failed, RETRIES } from './attempt.js'
import { attemptExchange, type Exchange } from './exchange.js'
import { OpenTransaction } from './open-transaction.js'
import type { StoreConnection } from './store-connection.js'
import { unanswered, XenStoreError } from './store-error.js'
import { StoreView } from './store-view.js'

/** How a transaction is carried out. */
export interface TransactionOptions {
  /** How often it is tried again after a conflict. Default: 50. */
  retries?: number | undefined
  /** Ends the transaction undone and rejects with its reason; too late once the commit has been sent. */
  signal?: AbortSignal | undefined
}

/** The domain has as many open as it may, of all its programs together: some will end. */
const BUSY = new Set(['ENOSPC', 'EQUOTA', 'EBUSY', 'EAGAIN'])

/** The longest pause between two attempts. */
const MAX_PAUSE_MS = 250
const MAX_DOUBLINGS = 5

/** Runs transactions: a few at once, each until it is committed, throws, or has had too many conflicts. */
export class Transactions {
  readonly #connection: StoreConnection
  readonly #slots: Semaphore
  /** The transaction that the code that runs belongs to. */
  #within: AsyncLocalStorage<OpenTransaction> | undefined
  #running = 0
  /** Fires with the end of the connection. */
  readonly #over = new AbortController()

  /** @param count open at once at most: xenstored allows a domain only so many, of all its programs */
  constructor(connection: StoreConnection, count: number) {
    this.#connection = connection
    this.#slots = new Semaphore(count)
  }

  /** The connection has gone: what runs in a transaction need not go on. */
  end(reason: XenStoreError): void {
    this.#over.abort(unanswered(reason, { operation: 'transaction' }, false))
  }

  async run<T>(
    work: (t: StoreView) => T | Promise<T>,
    retries: number,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const within = this.#within ?? (await this.#loadWithin())
    if (within.getStore()?.ended === false)
      throw new XenStoreError(
        'EBUSY',
        'transaction: begun within another of the same store, of which it would see nothing. Use the one that is there',
        { operation: 'transaction' },
      )
    this.#running++
    try {
      return await this.#untilCommitted((open) => this.#work(open, work, signal), retries, signal)
    } finally {
      // A storage that is in use costs every promise of the process something.
      if (--this.#running === 0) within.disable()
    }
  }

  /** Its work is this package's own, which begins no other within. */
  exchange<T>(exchange: Exchange<T>, signal: AbortSignal | undefined): Promise<T> {
    return this.#untilCommitted(
      (open) => attemptExchange(open, exchange, (commit) => this.#end(open, commit), signal),
      RETRIES,
      signal,
    )
  }

  /** With the first transaction, which many programs never begin. Once: to import a module takes long each time. */
  async #loadWithin(): Promise<AsyncLocalStorage<OpenTransaction>> {
    const { AsyncLocalStorage } = await import('node:async_hooks')
    this.#within ??= new AsyncLocalStorage()
    return this.#within
  }

  async #untilCommitted<T>(
    attemptOn: (open: OpenTransaction) => Promise<Attempt<T>>,
    retries: number,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    for (let tried = 0; ; tried++) {
      const started = performance.now()
      const attempt = await this.#attempt(attemptOn, signal)
      if ('value' in attempt) return attempt.value
      const { conflict } = attempt
      if (tried >= retries) throw givenUp(conflict, tried + 1)
      await pause(pauseAfter(performance.now() - started, tried), signal)
    }
  }

  async #attempt<T>(
    attemptOn: (open: OpenTransaction) => Promise<Attempt<T>>,
    signal: AbortSignal | undefined,
  ): Promise<Attempt<T>> {
    if (!(await this.#slots.take(signal))) throw signal!.reason
    let open: OpenTransaction
    try {
      open = await OpenTransaction.begin(this.#connection, signal, () => this.#slots.give())
    } catch (error) {
      // Aborted: the slot comes back when what may have been begun has ended.
      if (signal?.aborted && error === signal.reason) throw error
      this.#slots.give()
      if (error instanceof XenStoreError && BUSY.has(error.code)) return { conflict: error }
      throw error
    }
    return attemptOn(open)
  }

  async #work<T>(
    open: OpenTransaction,
    work: (t: StoreView) => T | Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<Attempt<T>> {
    let value: T
    try {
      signal?.throwIfAborted()
      const view = new StoreView(open)
      const working = this.#within!.run(open, async () => work(view))
      // When one of the signals fires first, no caller waits for its end.
      working.catch(() => {})
      value = await untilAborted(untilAborted(working, this.#over.signal), signal)
    } catch (error) {
      const undoing = this.#end(open, false)
      // The caller waits for nothing any more, not even for that.
      if (signal?.aborted && error === signal.reason) throw error
      return failed(error, await undoing)
    }
    return ended(value, await this.#end(open, true))
  }

  /** Gives its slot back. @returns why it was refused */
  async #end(open: OpenTransaction, commit: boolean): Promise<XenStoreError | undefined> {
    try {
      await open.end(commit)
      return undefined
    } catch (error) {
      return error as XenStoreError
    } finally {
      this.#slots.give()
    }
  }
}

/** At random, so that those who were in conflict do not meet again; longer where an attempt takes longer. */
function pauseAfter(attemptMs: number, tried: number): number {
  const most = Math.max(1, attemptMs) * 2 ** Math.min(tried, MAX_DOUBLINGS)
  return Math.random() * Math.min(MAX_PAUSE_MS, most)
}

function givenUp(conflict: XenStoreError, attempts: number): XenStoreError {
  const { code } = conflict
  const why =
    code === 'EAGAIN'
      ? 'each time another client changed what it depends on'
      : `the last time with: ${conflict.message}`
  const times = attempts === 1 ? 'once' : `${attempts} times`
  return new XenStoreError(code, `transaction: tried ${times}, ${why} (${code})`, {
    operation: 'transaction',
    cause: conflict,
  })
}
