import { onAbort } from '../abort.js'
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
  request: number
  resolve(): void
  reject(error: unknown): void
}

/** The end of a grant in one thread. */
export class Unsharing implements Pending {
  readonly #grant: Unsharable
  #state: State = 'live'
  /** The orderly unshare that is going on, shared by all callers that ask for one meanwhile. */
  #orderly: Promise<void> | undefined
  /** How many of them still want it. */
  #callers = 0
  /** None of them does any more: the signal of the last has fired, with this reason. */
  #withdrawn: { reason: unknown } | undefined
  /** Ends the wait for this thread's work. */
  #stopWaiting: (() => void) | undefined
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

  unshare(options: UnshareOptions): Promise<void> {
    const { force = false, fireNotify = false, signal } = options
    if (this.#state === 'gone') return Promise.resolve()
    const flags = fireNotify ? UnshareFlag.fireNotify : 0
    if (force && this.#grant.owner) return this.#force(flags | UnshareFlag.force)
    if (force) this.#grant.inFlight.abort(this.#unshared())
    if (this.#withdrawn) return this.#afterWithdrawal(options)
    this.#callers++
    this.#orderly ??= this.#inOrder(flags)
    return signal ? this.#unlessAborted(this.#orderly, signal) : this.#orderly
  }

  /** What others have given up is not what this caller gets. */
  async #afterWithdrawal(options: UnshareOptions): Promise<void> {
    await this.#orderly?.catch(() => {})
    options.signal?.throwIfAborted()
    await this.unshare(options)
  }

  /** A caller that stops waiting stops the rest only when no other wants it. */
  #unlessAborted(orderly: Promise<void>, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const takeBack = onAbort(signal, () => {
        if (--this.#callers === 0) this.#withdraw(signal.reason)
        else reject(this.#told(signal.reason))
      })
      orderly.finally(takeBack).then(resolve, reject)
    })
  }

  #withdraw(reason: unknown): void {
    this.#withdrawn = { reason }
    this.#stopWaiting?.()
    if (this.#asked) this.#grant.connection.cancel(this.#asked.request)
  }

  #inOrder(flags: number): Promise<void> {
    this.#state = 'leaving'
    return this.#grant.inFlight.busy ? this.#whenIdle(flags) : this.#giveBack(flags)
  }

  async #whenIdle(flags: number): Promise<void> {
    const withdrawn = new Promise<void>((resolve) => {
      this.#stopWaiting = resolve
    })
    await Promise.race([this.#grant.inFlight.idle(), withdrawn])
    this.#stopWaiting = undefined
    const reason = this.#withdrawn
    if (this.#state === 'leaving' && !reason) return this.#giveBack(flags)
    this.#settled()
    // Taken away by force while this waited: what was asked for has happened.
    if (reason && (this.#state as State) !== 'gone') throw this.#backToLife(reason.reason)
  }

  #giveBack(flags: number): Promise<void> {
    const { id, connection, owner } = this.#grant
    if (!owner) return this.#returnLease()
    return new Promise((resolve, reject) => {
      const request = connection.send(this, Op.unshare, id, flags)
      this.#asked = { request, resolve, reject }
    })
  }

  /** A thread that has attached gives back its lease; the pages are the owner's to take back. */
  async #returnLease(): Promise<void> {
    this.#gone()
    this.#settled()
    // A line that is lost or closed has taken the lease with it.
    await this.#grant.connection.request(Op.detach, this.#grant.id).catch(() => {})
  }

  answered(): void {
    const { resolve } = this.#asked!
    this.#settled()
    if (this.#state !== 'gone') this.#grant.gaveBack(false)
    this.#gone()
    resolve()
  }

  failed(error: unknown): void {
    const { resolve, reject } = this.#asked!
    const withdrawn = this.#withdrawn
    this.#settled()
    const code = error instanceof GrantError ? error.code : undefined
    if (code === 'ERR_GRANTS_UNSHARED') {
      // Taken away by force while this waited: what was asked for has happened.
      this.#gone()
      resolve()
    } else if (this.#state === 'gone') {
      reject(this.#told(error))
    } else if (withdrawn && code === 'ABORT_ERR') {
      reject(this.#backToLife(withdrawn.reason))
    } else {
      this.#state = 'stuck'
      reject(this.#told(error))
    }
  }

  #settled(): void {
    this.#asked = undefined
    this.#orderly = undefined
    this.#callers = 0
    this.#withdrawn = undefined
  }

  /** Aborted while it waited, for work of this thread or for leases of others: nothing has happened. */
  #backToLife(reason: unknown): unknown {
    if (this.#state === 'leaving') this.#state = 'live'
    return this.#told(reason)
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

  /** Told by the device worker: others have taken the memory away, or it died. */
  revoked(reason: GrantError): void {
    if (this.#state === 'gone') return
    this.#reason = reason
    this.#grant.inFlight.abort(reason)
    this.#gone()
  }

  #gone(): void {
    if (this.#state === 'gone') return
    this.#state = 'gone'
    this.#grant.ended()
  }

  #unshared(): GrantError {
    return new GrantError('ERR_GRANTS_UNSHARED', `grant ${this.#grant.id} has been unshared`)
  }
}
