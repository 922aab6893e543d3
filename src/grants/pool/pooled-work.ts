import type { URL } from 'node:url'
import { untilAborted } from '../../abort.js'
import { published } from '../../diagnostics.js'
import { GrantError } from '../../errors.js'
import type { FillResult } from '../../fill/fill.js'
import type { FillerGrant } from '../../fill/fill-messages.js'
import type { FillSource } from '../../fill/source.js'
import type { GrantOffer } from '../../pages/offer.js'
import type { FillOptions, RunOptions } from '../../pages/page-options.js'
import { PagesWork } from '../../pages/pages-work.js'
import type { PeerState } from '../../pages/peer-status.js'
import type { UnmapNotifyOptions } from '../../unmap-notify.js'
import type { GrantActions } from '../grant.js'
import type { GrantWork } from '../grant-work.js'
import type { GrantHandle } from '../handle.js'
import type { OfferOptions, ReleasedOptions } from '../offer-options.js'
import { checkUnshare, type UnshareOptions } from '../unshare-options.js'

/** The pool that has handed it out. */
export interface PoolOfUses {
  /** @throws GrantError when it is not in use */
  giveBack(use: PooledWork): void
}

/**
 * One use of a pool's grant, from acquire() to its release. Of the pages it has no more than a view of its own, which is gone
 * with the release: what is called afterwards cannot reach the pages of the next user.
 */
export class PooledWork extends PagesWork implements GrantActions {
  readonly index: number
  readonly pool: PoolOfUses
  readonly #grant: GrantWork
  #released = false

  constructor(grant: GrantWork, index: number, pool: PoolOfUses) {
    super(grant.memory, grant.pages, grant.pagesContext, grant.inFlight)
    this.#grant = grant
    this.index = index
    this.pool = pool
  }

  get id(): number {
    return this.#grant.id
  }

  get domid(): number {
    return this.#grant.domid
  }

  get writable(): boolean {
    return this.#grant.writable
  }

  get refs(): readonly number[] {
    return this.#grant.refs
  }

  override get live(): boolean {
    return !this.#released && this.#grant.live
  }

  override get fillerGrant(): FillerGrant {
    return this.#grant.fillerGrant
  }

  override mustBeUsable(): void {
    if (this.#released) throw releasedError(this.id)
    this.#grant.mustBeUsable()
  }

  protected override mustBeWritable(): void {
    this.mustBeUsable()
  }

  override filled(result: FillResult): void {
    this.#grant.filled(result)
  }

  override fill(source: FillSource, options: FillOptions | undefined): Promise<FillResult> {
    return published('fill', () => super.fill(source, options))
  }

  override run<Result>(module: URL | string, options: RunOptions | undefined): Promise<Result[]> {
    return published('run', () => super.run<Result>(module, options))
  }

  async setUnmapNotify(options: UnmapNotifyOptions): Promise<void> {
    this.mustBeUsable()
    await this.#grant.setUnmapNotify(options)
  }

  async offer(options: OfferOptions | undefined): Promise<GrantOffer> {
    this.mustBeUsable()
    return this.#grant.offer(options)
  }

  get peer(): PeerState {
    return this.#grant.peer
  }

  async released(options: ReleasedOptions | undefined): Promise<PeerState> {
    this.mustBeUsable()
    return this.#grant.released(options)
  }

  handle(): GrantHandle {
    this.mustBeUsable()
    return this.#grant.handle()
  }

  /** Gives it back to the pool, whose grant it stays, when nothing runs in it any more. Again: does nothing. */
  async unshare(options?: UnshareOptions): Promise<void> {
    const { force, signal } = checkUnshare(options)
    if (force) this.inFlight.abort(releasedError(this.id))
    await untilAborted(this.inFlight.idle(), signal)
    if (!this.#released) this.pool.giveBack(this)
  }

  /** The pool has it back. */
  end(): void {
    this.#released = true
    this.forgetMemory()
  }
}

export function releasedError(id: number): GrantError {
  return new GrantError('ERR_GRANTS_UNSHARED', `grant ${id} has been released already, to its pool`)
}
