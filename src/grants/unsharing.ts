import { untilAborted } from '../abort.js'
import { GrantError } from '../errors.js'
import type { InFlight } from '../pages/in-flight.js'
import type { Connection, Pending } from './device-connection.js'
import { Op, UnshareFlag } from './grant-messages.js'
import type { UnshareOptions } from './unshare-options.js'

/** The grant, as far as its end is concerned. */
export interface Unsharable {
  readonly id: number
  /** Whether this thread shared it, or attached to it. */
  readonly owner: boolean
  readonly connection: Connection
  readonly inFlight: InFlight
  /** The pages are back with the driver. */
  gaveBack(force: boolean): void
  /** They are not: what the caller is told. */
  failedToEnd(error: unknown): void
  /** The grant no longer belongs to this thread. */
  ended(): void
}

/**
 * live → leaving → gone. While leaving, nothing new may begin; an aborted wait leads back to live. `stuck` is a grant
 * whose pages could not be given back: unshare() may be tried again.
 */
type State = 'live' | 'leaving' | 'stuck' | 'gone'

/** The device worker has been asked to take the pages back, in order. */
interface Asked {
  resolve(): void
  reject(error: unknown): void
  signal: AbortSignal | undefined
  withdraw: (() => void) | undefined
}

/** The end of a grant in one thread. */
export class Unsharing implements Pending {
  readonly #grant: Unsharable
  #state: State = 'live'
  /** The orderly unshare that is going on, shared by all callers that ask for one meanwhile. */
  #orderly: Promise<void> | undefined
  #asked: Asked | undefined
  #reason: GrantError | undefined

  constructor(grant: Unsharable) {
    this.#grant = grant
  }

  get live(): boolean {
    return this.#state === 'live'
  }

  mustBeLive(): void {
    if (this.#state !== 'live') throw this.#reason ?? this.#unshared()
  }

  unshare({ force = false, fireNotify = false, signal }: UnshareOptions): Promise<void> {
    if (this.#state === 'gone') return Promise.resolve()
    if (!this.#grant.owner) return this.#leave(force)
    const flags = fireNotify ? UnshareFlag.fireNotify : 0
    if (force) return this.#force(flags | UnshareFlag.force)
    this.#orderly ??= this.#inOrder(flags, signal)
    return this.#orderly
  }

  #inOrder(flags: number, signal: AbortSignal | undefined): Promise<void> {
    this.#state = 'leaving'
    return this.#grant.inFlight.busy ? this.#whenIdle(flags, signal) : this.#giveBack(flags, signal)
  }

  async #whenIdle(flags: number, signal: AbortSignal | undefined): Promise<void> {
    try {
      await untilAborted(this.#grant.inFlight.idle(), signal)
    } catch (error) {
      this.#orderly = undefined
      this.#afterFailure(error, signal)
    }
    if (this.#state === 'leaving') await this.#giveBack(flags, signal)
    else this.#orderly = undefined
  }

  #giveBack(flags: number, signal: AbortSignal | undefined): Promise<void> {
    const { id, connection } = this.#grant
    return new Promise((resolve, reject) => {
      const request = connection.send(this, Op.unshare, id, flags)
      const withdraw = signal && (() => connection.cancel(request))
      if (withdraw) signal.addEventListener('abort', withdraw, { once: true })
      this.#asked = { resolve, reject, signal, withdraw }
    })
  }

  answered(): void {
    const { resolve } = this.#settle()
    if (this.#state !== 'gone') this.#grant.gaveBack(false)
    this.#gone()
    resolve()
  }

  failed(error: unknown): void {
    const { resolve, reject, signal } = this.#settle()
    try {
      this.#afterFailure(error, signal)
      resolve()
    } catch (reason) {
      reject(reason)
    }
  }

  #settle(): Asked {
    const asked = this.#asked!
    this.#asked = undefined
    this.#orderly = undefined
    if (asked.withdraw) asked.signal!.removeEventListener('abort', asked.withdraw)
    return asked
  }

  /** @throws what the caller is told */
  #afterFailure(error: unknown, signal: AbortSignal | undefined): void {
    const code = error instanceof GrantError ? error.code : undefined
    // Taken away by force while this waited: what was asked for has happened.
    if (code === 'ERR_GRANTS_UNSHARED') {
      this.#gone()
      return
    }
    if (this.#state === 'gone') throw this.#told(error)
    // Aborted while it waited, for work of this thread or for leases of others: nothing has happened.
    if (signal?.aborted && (code === 'ABORT_ERR' || error === signal.reason)) {
      if (this.#state === 'leaving') this.#state = 'live'
      throw this.#told(signal.reason)
    }
    this.#state = 'stuck'
    throw this.#told(error)
  }

  #told(error: unknown): unknown {
    this.#grant.failedToEnd(error)
    return error
  }

  async #force(flags: number): Promise<void> {
    const { id, connection, inFlight } = this.#grant
    this.#state = 'leaving'
    inFlight.abort(this.#unshared())
    try {
      await connection.request(Op.unshare, id, flags)
      if ((this.#state as State) !== 'gone') this.#grant.gaveBack(true)
    } catch (error) {
      if (!(error instanceof GrantError && error.code === 'ERR_GRANTS_UNSHARED')) {
        if ((this.#state as State) !== 'gone') this.#state = 'stuck'
        throw this.#told(error)
      }
    }
    this.#gone()
  }

  /** A thread that has attached gives back its lease; the pages are the owner's to take back. */
  async #leave(force: boolean): Promise<void> {
    this.#state = 'leaving'
    if (force) this.#grant.inFlight.abort(this.#unshared())
    await this.#grant.inFlight.idle()
    // Asked twice, or taken away meanwhile: the lease is another's to return, and must not be returned twice.
    if ((this.#state as State) === 'gone') return
    this.#gone()
    // A line that is lost or closed has taken the lease with it.
    await this.#grant.connection.request(Op.detach, this.#grant.id).catch(() => {})
  }

  /** Told by the device worker: others have taken the memory away, or it died. */
  revoked(reason: GrantError): void {
    if (this.#state === 'gone') return
    this.#reason = reason
    this.#grant.inFlight.abort(reason)
    this.#gone()
  }

  #gone(): void {
    this.#state = 'gone'
    this.#grant.ended()
  }

  #unshared(): GrantError {
    return new GrantError('ERR_GRANTS_UNSHARED', `grant ${this.#grant.id} has been unshared`)
  }
}
