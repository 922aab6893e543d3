import { whenUnreadable } from '../xenstore/unreadable.js'
import type { StoreWatch } from '../xenstore/watch-stream.js'
import type { XenStore } from '../xenstore/xen-store.js'

/** For how many looks in a row a node has to be missing: the page may say a little later than xenstored that its server has closed. */
const MISSING_LOOKS = 3

export interface SignOptions {
  /** Absolute. */
  node: string
  /** What is watched: the node, or the one above. */
  watched: string
  /** Its value as long as it is that of this server. Undefined: any. */
  value?: string
  /** Looks that pass before it is first looked for. One that is missing then means nothing. */
  after?: number
}

/**
 * A node that stands for as long as the domain of a server does. For clients in guests, whom nobody tells of the end of
 * another one: it is watched, from the first look on. Without a watch, of which a guest has few, nothing is learnt.
 */
export class Sign {
  readonly #store: XenStore
  readonly #options: SignOptions
  #watch: StoreWatch | undefined
  #looks = 0
  #known: boolean
  #missing = false
  #missingLooks = 0
  #ended = false

  constructor(store: XenStore, options: SignOptions) {
    this.#store = store
    this.#options = options
    // One that is waited for has not been seen yet.
    this.#known = options.after === undefined
  }

  /** Looks once more. @returns whether the node has gone, while its vchan is still said to be open */
  gone(): boolean {
    if (this.#ended) return false
    if (!this.#watch && this.#looks++ >= (this.#options.after ?? 0)) void this.#follow()
    this.#missingLooks = this.#missing ? this.#missingLooks + 1 : 0
    return this.#missingLooks >= MISSING_LOOKS
  }

  end(): void {
    this.#ended = true
    void this.#watch?.return?.()
  }

  async #follow(): Promise<void> {
    const { node, watched } = this.#options
    // The vchan itself is what keeps a program alive.
    this.#watch = this.#store.watch(watched).unref()
    try {
      // It begins with a change.
      for await (const { path } of this.#watch) {
        if (path !== node && path !== watched) continue
        const stands = await this.#stands()
        if (stands === 'replaced' || (!stands && !this.#known)) break
        this.#known = true
        this.#missing = !stands
      }
    } catch {
      // Refused, or xenstored has gone: a stream goes on without. What was missing until then need not be.
      this.#missing = false
    }
    // It was not there, or is another server's: it tells nothing.
    this.end()
  }

  async #stands(): Promise<boolean | 'replaced'> {
    const { node, value } = this.#options
    const found = await this.#store.readText(node).catch(whenUnreadable)
    if (found === undefined) return false
    return value === undefined || found === value || 'replaced'
  }
}
