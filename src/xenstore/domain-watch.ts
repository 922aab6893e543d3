import type { Caller } from './caller.js'
import { listChildren } from './directory.js'
import { parseInteger } from './numbers.js'
import { MAX_DOMID } from './paths.js'
import { isIntroduced } from './privilege.js'
import { XenStoreError } from './store-error.js'
import { type WatchContext, WatchStream } from './watch-stream.js'

const DOMAINS = '/local/domain'
const OPERATION = 'watchDomains'

/** Domids, ascending. One of both lists may be empty, and at first `removed` is, and `added` all domains there are. */
export interface DomainsChange {
  added: number[]
  removed: number[]
}

/** What `watchDomains()` returns: yields when domains have come or gone, as a {@link StoreWatch} does. */
export interface DomainWatch extends AsyncIterator<DomainsChange, undefined, undefined>, AsyncDisposable {
  /** Itself: it is iterated once. */
  [Symbol.asyncIterator](): DomainWatch
}

/**
 * Domains as they come and go. xenstored says only that one has, so each time all are looked at: those that have a directory
 * and that xenstored serves. A directory alone may be that of one that has been destroyed, until the toolstack removes it.
 */
export class DomainStream implements DomainWatch {
  readonly #caller: Caller
  readonly #signal: AbortSignal | undefined
  readonly #events: WatchStream
  #known: ReadonlySet<number> | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(context: WatchContext, caller: Caller, signal: AbortSignal | undefined) {
    this.#caller = caller
    this.#signal = signal
    this.#events = new WatchStream(context, ['@introduceDomain', '@releaseDomain'], signal)
  }

  /** One at a time: two that looked at once could tell of the same change. */
  next(): Promise<IteratorResult<DomainsChange, undefined>> {
    const next = this.#last.then(() => this.#next())
    this.#last = next.catch(() => {})
    return next
  }

  async #next(): Promise<IteratorResult<DomainsChange, undefined>> {
    for (;;) {
      const { done } = await this.#events.next()
      if (done) return { done: true, value: undefined }
      const change = await this.#look()
      if (change) return { done: false, value: change }
    }
  }

  async return(): Promise<IteratorResult<DomainsChange, undefined>> {
    await this.#events.return()
    return { done: true, value: undefined }
  }

  async throw(error: unknown): Promise<never> {
    return this.#events.throw(error)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  async #look(): Promise<DomainsChange | undefined> {
    let present: number[]
    try {
      present = await this.#present()
    } catch (error) {
      await this.return()
      throw error
    }
    const now = new Set(present)
    const known = this.#known
    this.#known = now
    const added = present.filter((domid) => !known?.has(domid))
    const removed = [...(known ?? [])].filter((domid) => !now.has(domid))
    // The first answer is one also when there is no domain.
    return known && added.length + removed.length === 0 ? undefined : { added, removed }
  }

  async #present(): Promise<number[]> {
    const names = await listChildren(this.#caller, DOMAINS, this.#signal).catch((error: unknown) => {
      if (error instanceof XenStoreError && error.code === 'ENOENT') return []
      throw error
    })
    const domids = names
      .map((name) => parseInteger(name, 0, MAX_DOMID))
      .filter((domid) => domid !== undefined)
    const subject = { operation: OPERATION }
    const served = await Promise.all(
      domids.map((domid) => isIntroduced(this.#caller, domid, subject, this.#signal)),
    )
    return domids.filter((_, index) => served[index]).sort((a, b) => a - b)
  }
}
