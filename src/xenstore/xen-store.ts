import type { Buffer } from 'node:buffer'
import { type InspectOptionsStylized, inspect } from 'node:util'
import { checkFunction, checkInteger, checkOptions, checkSignal } from '../arguments.js'
import { MessageType } from '../drivers/xenbus/wire.js'
import { inLine } from '../inspect.js'
import { RETRIES } from './attempt.js'
import { strings, textOf } from './caller.js'
import type { DomainWatch } from './domain-watch.js'
import type { Exchange } from './exchange.js'
import { parseInteger } from './numbers.js'
import { checkDomid, checkPath, checkWatchPath, MAX_DOMID } from './paths.js'
import { isIntroduced, isPrivileged } from './privilege.js'
import { closedError, protocolError, XenStoreError } from './store-error.js'
import type { XenStoreOptions } from './store-options.js'
import type { StoreParts } from './store-parts.js'
import { type RequestOptions, StoreView, signalOf } from './store-view.js'
import type { TransactionOptions } from './transactions.js'
import type { StoreWatch } from './watch-stream.js'

/**
 * A transaction whose changes travel with its commit, see {@link Exchange}. For what is above the store in this package.
 * @returns what it has read
 * @throws as `XenStore.transaction`; also what one of its changes was refused with, while others may have been made
 */
export let exchange: <T>(store: XenStore, work: Exchange<T>, signal: AbortSignal | undefined) => Promise<T>

/**
 * A connection to xenstored, for any number of callers at once. Requests are sent without waiting for the answers of those
 * before. What is pending keeps the process alive, an idle store does not.
 */
export class XenStore extends StoreView {
  readonly #parts: StoreParts
  /**
   * Resolves when the store is of no use any more: with undefined after close(), otherwise with why the connection was lost.
   * Never rejects. There is no way back: what it watched is forgotten, so open another and look at everything again.
   */
  readonly closed: Promise<XenStoreError | undefined>

  static {
    exchange = async (store, work, signal) => {
      if (#parts in (store as object)) return store.#parts.transactions.exchange(work, signal)
      // One that stands in for another is asked as by any user.
      const { read, write } = work
      return store.transaction(async (t) => {
        const found = await read(t)
        await Promise.all(write(t, found) ?? [])
        return found
      }, signal && { signal })
    }
  }

  private constructor(parts: StoreParts) {
    super(parts.caller)
    this.#parts = parts
    this.closed = parts.ended.then((reason) => (reason.code === 'ERR_GRANTS_CLOSED' ? undefined : reason))
  }

  /**
   * @throws XenStoreError ENOENT, ECONNREFUSED, EACCES, … when xenstored cannot be reached: the message says what to do;
   *   TypeError or RangeError for bad options; the signal's reason
   */
  static async open(options?: XenStoreOptions): Promise<XenStore> {
    const { openParts } = await import('./store-parts.js')
    return new XenStore(await openParts(options))
  }

  /** What it is connected to: the path of a socket or a device. */
  get path(): string {
    return this.#parts.connection.path
  }

  /**
   * The number of the domain this program runs in.
   * @throws XenStoreError ENOENT: the toolstack has not written it
   */
  async domid(options?: RequestOptions): Promise<number> {
    const signal = signalOf(options)
    const path = 'domid'
    const subject = { operation: 'domid', path }
    let value: Buffer
    try {
      const message = strings(path)
      value = await this.#parts.caller.call({ subject, type: MessageType.read, message, signal })
    } catch (error) {
      // Domain 0's is written by a service that need not have run.
      const absent = error instanceof XenStoreError && error.code === 'ENOENT'
      if (absent && (await isPrivileged(this.#parts.caller, subject, signal))) return 0
      throw error
    }
    const domid = parseInteger(value.toString('latin1'), 0, MAX_DOMID)
    if (domid === undefined) throw protocolError('the value is no domid', subject)
    return domid
  }

  /** The directory of a domain, which need not exist. @param domid 0 to 32751 */
  async domainPath(domid: number, options?: RequestOptions): Promise<string> {
    checkDomid('domid', domid)
    const signal = signalOf(options)
    const subject = { operation: 'domainPath' }
    const call = { subject, type: MessageType.getDomainPath, message: strings(String(domid)), signal }
    return textOf(await this.#parts.caller.call(call), subject)
  }

  /**
   * Whether xenstored serves the domain: from its creation to its destruction.
   * @param domid 0 to 32751
   * @throws XenStoreError EACCES: only domain 0 is told
   */
  async isIntroduced(domid: number, options?: RequestOptions): Promise<boolean> {
    checkDomid('domid', domid)
    return isIntroduced(this.#parts.caller, domid, { operation: 'isIntroduced' }, signalOf(options))
  }

  /**
   * Runs `work` in a transaction: what it reads is of one moment, what it writes appears at once or not at all. When another
   * client has changed what it depends on, it is undone and `work` is called again, with a new `t`: let it do nothing else
   * that cannot be repeated. When `work` throws, the transaction is undone and that is thrown. xenstored (C) finds a conflict
   * also for a transaction that has only read.
   *
   * @returns what `work` returned the last time
   * @throws XenStoreError EAGAIN: too many conflicts. ENOSPC or EQUOTA: all transactions of this domain are taken, for long.
   *   ENOMEM: a quota was exceeded in it. EBUSY: called within `work`
   */
  async transaction<T>(work: (t: StoreView) => T | Promise<T>, options?: TransactionOptions): Promise<T> {
    checkFunction('work', work)
    const { retries = RETRIES, signal } = checkOptions<TransactionOptions>('options', options, [
      'retries',
      'signal',
    ])
    checkInteger('options.retries', retries, 0)
    checkSignal('options.signal', signal)
    return this.#parts.transactions.run(work, retries, signal)
  }

  /**
   * Changes of a node and of everything below it, for `for await`: once at the start, then whenever something was written
   * (also the same value), made, removed, or had its permissions set. Changes between two looks become one. The watch begins
   * with the first look and ends when the loop is left. Read what you need after each change: its value may be newer than the
   * change, never older. A guest may watch any path, but is told of changes only while it may read the node or its parent.
   *
   * @param path a node, or '@introduceDomain' or '@releaseDomain'
   * @throws at the loop: XenStoreError E2BIG or EQUOTA when the domain has too many watches; what the connection was lost
   *   with; the signal's reason. close() ends the loop without an error
   */
  watch(path: string, options?: RequestOptions): StoreWatch {
    checkWatchPath(path)
    return this.#parts.watch(path, signalOf(options))
  }

  /**
   * Waits until the value of a node is as wanted. While this domain may not read the node, it waits too: what another domain
   * publishes cannot be read before that has made it and allowed it.
   *
   * @param predicate given the value, undefined while there is no such node; may be asynchronous
   * @returns the value that satisfied it
   * @throws what `predicate` throws; XenStoreError, but for EACCES; the signal's reason
   */
  async waitFor(
    path: string,
    predicate: (value: Buffer | undefined) => unknown,
    options?: RequestOptions,
  ): Promise<Buffer | undefined> {
    checkPath(path)
    checkFunction('predicate', predicate)
    const watch = this.watch(path, options)
    for await (const _ of watch) {
      let value: Buffer | undefined
      try {
        value = await this.tryRead(path, options)
      } catch (error) {
        // There is an event when that changes.
        if (error instanceof XenStoreError && error.code === 'EACCES') continue
        throw error
      }
      if (await predicate(value)) return value
    }
    throw closedError({ operation: 'waitFor', path })
  }

  /**
   * Domains as they are created and destroyed: at the start all there are, then each change. For domain 0.
   * @throws at the loop: XenStoreError EACCES in a guest; else as `watch`
   */
  watchDomains(options?: RequestOptions): DomainWatch {
    return this.#parts.watchDomains(signalOf(options))
  }

  /** What is pending rejects, loops over watches end, open transactions are undone. Never rejects. Idempotent. */
  async close(): Promise<void> {
    await this.#parts.connection.close()
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    return inLine(
      'XenStore',
      { path: this.path, state: this.#parts.connection.lost ? 'closed' : 'open' },
      options,
    )
  }

  /** For `await using`: {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
