import type { GrantError } from '../errors.js'
import type { UnshareOptions } from './unshare-options.js'

/** A grant of this thread's, as far as the client needs it that closes or loses its server. */
export interface OpenGrant {
  readonly id: number
  readonly memory: SharedArrayBuffer
  unshare(options?: UnshareOptions): Promise<void>
  /** The memory is no longer the grant's: `bytes` becomes empty, running work is aborted. */
  revoke(reason: GrantError): void
  /** Resolves when nothing of this thread runs in the pages. */
  idle(): Promise<void>
}

/** What one thread has a lease of. The same grant may occur several times: each attach takes a lease of its own. */
export class OpenGrants {
  readonly #byId = new Map<number, OpenGrant | Set<OpenGrant>>()

  add(grant: OpenGrant): void {
    const present = this.#byId.get(grant.id)
    // Nearly every grant is here once, and thousands come and go in a second.
    if (!present) this.#byId.set(grant.id, grant)
    else if (present instanceof Set) present.add(grant)
    else this.#byId.set(grant.id, new Set([present, grant]))
  }

  delete(grant: OpenGrant): void {
    const present = this.#byId.get(grant.id)
    if (present === grant) this.#byId.delete(grant.id)
    else if (present instanceof Set && present.delete(grant) && present.size === 0)
      this.#byId.delete(grant.id)
  }

  /** A copy: they may go while it is looked at. */
  withId(id: number): OpenGrant[] {
    const present = this.#byId.get(id)
    if (!present) return []
    return present instanceof Set ? [...present] : [present]
  }

  /** A copy, as well. */
  all(): OpenGrant[] {
    return [...this.#byId.keys()].flatMap((id) => this.withId(id))
  }
}
