import { GrantError } from '../errors.js'
import type { Watched } from './vigil.js'

/** The domain whose client a server waits for. */
export class AwaitedDomain implements Watched {
  readonly domid: number
  readonly #path: string
  readonly #stop: AbortController
  #seen = false

  /** @param stop aborted when the domain is gone */
  constructor(domid: number, path: string, stop: AbortController) {
    this.domid = domid
    this.#path = path
    this.#stop = stop
  }

  look(): void {}

  domainThere(): void {
    this.#seen = true
  }

  domainGone(known: boolean): void {
    // One that is being created is known to Xen before xenstored serves it.
    if (known && !this.#seen) return
    const { domid } = this
    const path = this.#path
    const [code, what] = this.#seen ? ['ECONNRESET', 'it has been destroyed'] : ['ESRCH', 'there is none']
    const message = `waiting for a client of domain ${domid} at ${path}: ${what}`
    this.#stop.abort(new GrantError(code!, message, { domid, path }))
  }

  /** Who waits is told by the signal. */
  async close(): Promise<void> {}
}
