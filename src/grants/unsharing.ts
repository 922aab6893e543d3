import { untilAborted } from '../abort.js'
import type { Connection } from '../client/connection.js'
import { GrantError } from '../errors.js'
import type { Work } from '../pages/work.js'
import { Op, UnshareFlag } from '../protocol/messages.js'
import type { UnshareOptions } from './unshare-options.js'

export interface UnsharingParts {
  id: number
  owner: boolean
  connection: Connection
  work: Work
  /** Makes every view of this thread empty. */
  dropView(): void
  /** The pages are back with the driver. */
  gaveBack(force: boolean): void
  /** The grant is this thread's no more. */
  ended(): void
}

/**
 * live → leaving → gone. While leaving, nothing new may begin; an aborted wait leads back to live. `stuck` is a grant
 * whose views are gone but whose pages could not be given back: unshare() may be tried again.
 */
type State = 'live' | 'leaving' | 'stuck' | 'gone'

/** The end of a grant in one thread. */
export class Unsharing {
  readonly #parts: UnsharingParts
  #state: State = 'live'
  /** The orderly unshare that is going on, shared by everybody who asks for one meanwhile. */
  #orderly: Promise<void> | undefined
  #reason: GrantError | undefined

  constructor(parts: UnsharingParts) {
    this.#parts = parts
  }

  get live(): boolean {
    return this.#state === 'live'
  }

  mustBeLive(): void {
    if (this.#state !== 'live') throw this.#reason ?? this.#unshared()
  }

  async unshare({ force = false, fireNotify = false, signal }: UnshareOptions): Promise<void> {
    if (this.#state === 'gone') return
    if (!this.#parts.owner) {
      await this.#leave(force)
      return
    }
    const flags = fireNotify ? UnshareFlag.fireNotify : 0
    if (force) {
      await this.#force(flags | UnshareFlag.force)
      return
    }
    this.#orderly ??= this.#inOrder(flags, signal).finally(() => {
      this.#orderly = undefined
    })
    await this.#orderly
  }

  async #inOrder(flags: number, signal: AbortSignal | undefined): Promise<void> {
    const { id, connection, work, dropView } = this.#parts
    this.#state = 'leaving'
    try {
      await untilAborted(work.idle(), signal)
    } catch (error) {
      if (this.#state === 'leaving') this.#state = 'live'
      throw error
    }
    if (this.#state !== 'leaving') return
    dropView()
    const request = connection.start(Op.unshare, id, flags)
    const withdraw = (): void => connection.cancel(request.id)
    signal?.addEventListener('abort', withdraw, { once: true })
    try {
      await request.answer
      if ((this.#state as State) !== 'gone') this.#parts.gaveBack(false)
      this.#gone()
    } catch (error) {
      this.#afterFailure(error, signal)
    } finally {
      signal?.removeEventListener('abort', withdraw)
    }
  }

  #afterFailure(error: unknown, signal: AbortSignal | undefined): void {
    const code = error instanceof GrantError ? error.code : undefined
    // Taken away by force while this waited: what was asked for has happened.
    if (code === 'ERR_GRANTS_UNSHARED') {
      this.#gone()
      return
    }
    if (this.#state === 'gone') throw error
    if (code === 'ABORT_ERR') {
      this.#state = 'live'
      throw signal?.reason ?? error
    }
    this.#state = 'stuck'
    throw error
  }

  async #force(flags: number): Promise<void> {
    const { id, connection, work } = this.#parts
    this.#state = 'leaving'
    this.#stopHere(this.#unshared())
    try {
      await connection.request(Op.unshare, id, flags)
      if ((this.#state as State) !== 'gone') this.#parts.gaveBack(true)
    } catch (error) {
      if (!(error instanceof GrantError && error.code === 'ERR_GRANTS_UNSHARED')) {
        if ((this.#state as State) !== 'gone') this.#state = 'stuck'
        throw error
      }
    }
    this.#gone()
    // The address range is kept from others until nothing here can touch it any more.
    void work.idle().then(() => this.#returnLease())
  }

  /** A thread that has attached gives back its lease; the pages are the owner's to take back. */
  async #leave(force: boolean): Promise<void> {
    this.#state = 'leaving'
    if (force) this.#stopHere(this.#unshared())
    await this.#parts.work.idle()
    // Asked twice, or taken away meanwhile: the lease is another's to return, and must not be returned twice.
    if ((this.#state as State) === 'gone') return
    this.#parts.dropView()
    this.#gone()
    await this.#returnLease()
  }

  /** Told by the device worker: others have taken the memory away, or it died. */
  revoked(reason: GrantError): void {
    if (this.#state === 'gone') return
    this.#reason = reason
    this.#stopHere(reason)
    this.#gone()
    void this.#parts.work.idle().then(() => this.#returnLease())
  }

  #stopHere(reason: GrantError): void {
    this.#parts.dropView()
    this.#parts.work.abort(reason)
  }

  #gone(): void {
    this.#state = 'gone'
    this.#parts.ended()
  }

  async #returnLease(): Promise<void> {
    // A line that is lost or closed has taken the lease with it.
    await this.#parts.connection.request(Op.detach, this.#parts.id).catch(() => {})
  }

  #unshared(): GrantError {
    return new GrantError('ERR_GRANTS_UNSHARED', `grant ${this.#parts.id} has been unshared`)
  }
}
