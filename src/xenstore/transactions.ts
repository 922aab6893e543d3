import type { AsyncLocalStorage } from 'node:async_hooks'
import { performance } from 'node:perf_hooks'
import { pause, untilAborted } from '../abort.js'
import { Semaphore } from '../semaphore.js'
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

/** What one attempt came to: its result, or the error that another attempt may be spared. */
type Attempt<T> = { value: T } | { conflict: XenStoreError }

/** The domain has as many open as it may, of all its programs together: some will end. */
const BUSY = new Set(['ENOSPC', 'EQUOTA', 'EBUSY', 'EAGAIN'])
/** The number is not known (any more): a live update of xenstored ends what is open. EIO is oxenstored's word for it. */
const FORGOTTEN = new Set(['ENOENT', 'EIO'])

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
    // Loaded with the first transaction, which many programs never begin.
    const { AsyncLocalStorage } = await import('node:async_hooks')
    this.#within ??= new AsyncLocalStorage()
    if (this.#within.getStore()?.ended === false)
      throw new XenStoreError(
        'EBUSY',
        'transaction: begun within another of the same store, of which it would see nothing. Use the one that is there',
        { operation: 'transaction' },
      )
    this.#running++
    try {
      return await this.#untilCommitted(work, retries, signal)
    } finally {
      // A storage that is in use costs every promise of the process something.
      if (--this.#running === 0) this.#within.disable()
    }
  }

  async #untilCommitted<T>(
    work: (t: StoreView) => T | Promise<T>,
    retries: number,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    for (let tried = 0; ; tried++) {
      const started = performance.now()
      const attempt = await this.#attempt(work, signal)
      if ('value' in attempt) return attempt.value
      const { conflict } = attempt
      if (tried >= retries) throw givenUp(conflict, tried + 1)
      await pause(pauseAfter(performance.now() - started, tried), signal)
    }
  }

  async #attempt<T>(
    work: (t: StoreView) => T | Promise<T>,
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
    return this.#work(open, work, signal)
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
      const refused = await undoing
      // What it was thrown for may be what a forgotten transaction looks like: nothing is there.
      const conflict = refused && FORGOTTEN.has(refused.code) ? refused : ownConflict(error)
      if (conflict) return { conflict }
      throw error
    }
    const refused = await this.#end(open, true)
    if (!refused) return { value }
    if (refused.code === 'EAGAIN' || FORGOTTEN.has(refused.code)) return { conflict: refused }
    throw refused
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

/**
 * xenstored may tell of a conflict already when something is asked: C's with EIO, when a node below one that the transaction has
 * read was removed outside before the transaction removes the whole.
 */
const CONFLICTS = new Set(['EAGAIN', 'EIO'])

function ownConflict(error: unknown): XenStoreError | undefined {
  const conflict =
    error instanceof XenStoreError && CONFLICTS.has(error.code) && error.transaction !== undefined
  return conflict ? error : undefined
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
