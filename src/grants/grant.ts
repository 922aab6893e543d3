import { type InspectOptionsStylized, inspect } from 'node:util'
import { inLine, rangeOf } from '../inspect.js'
import type { GrantOffer } from '../pages/offer.js'
import type { PagesWork } from '../pages/pages-work.js'
import type { PeerState } from '../pages/peer-status.js'
import { SharedPages } from '../pages/shared-pages.js'
import type { UnmapNotifyOptions } from '../unmap-notify.js'
import type { GrantHandle } from './handle.js'
import type { OfferOptions, ReleasedOptions } from './offer-options.js'
import type { UnshareOptions } from './unshare-options.js'

/** What a Grant does, by whom it is done: one lease, or one use of a pool's. */
export interface GrantActions extends PagesWork {
  readonly id: number
  readonly domid: number
  readonly writable: boolean
  readonly refs: readonly number[]
  readonly peer: PeerState
  setUnmapNotify(options: UnmapNotifyOptions): Promise<void>
  offer(options: OfferOptions | undefined): Promise<GrantOffer>
  released(options: ReleasedOptions | undefined): Promise<PeerState>
  handle(): GrantHandle
  unshare(options?: UnshareOptions): Promise<void>
}

/** The work behind a Grant, for what makes more of them. */
export let actionsOf: (grant: Grant) => GrantActions | undefined

/**
 * Pages of this domain that another domain may map. They stay granted until {@link unshare}, whatever becomes of
 * this object.
 */
export class Grant extends SharedPages {
  /** Unique among all grants of the server, never reused. */
  readonly id: number
  /** The domain that may map the pages. */
  readonly domid: number
  /** Whether that domain may write. This side always may. */
  readonly writable: boolean
  readonly #work: GrantActions
  #refs: Uint32Array | undefined

  static {
    actionsOf = (grant) => (#work in grant ? grant.#work : undefined)
  }

  /** @internal */
  constructor(work: GrantActions) {
    super(work)
    this.id = work.id
    this.domid = work.domid
    this.writable = work.writable
    this.#work = work
  }

  /** One grant reference per page, for the peer. A copy, made once. As JSON, write `[...grant.refs]`. */
  get refs(): Uint32Array {
    this.#refs ??= new Uint32Array(this.#work.refs)
    return this.#refs
  }

  /**
   * What the kernel does for the peer when a page of the grant goes because this process crashed: set a byte to zero,
   * send an event, or both. One per page; replaces an earlier one; `{}` disarms. An orderly unshare disarms first.
   *
   * @throws GrantError EINVAL when the port is not bound in this domain
   */
  setUnmapNotify(options: UnmapNotifyOptions): Promise<void> {
    return this.#work.setUnmapNotify(options)
  }

  /**
   * What to tell the peer, as plain data: its `GrantMapper` takes it whole. From then on this side knows what the
   * peer does with the pages. Costs one page per domain, not per grant. See docs/teardown.md.
   *
   * @throws what sharing a page throws
   */
  offer(options?: OfferOptions): Promise<GrantOffer> {
    return this.#work.offer(options)
  }

  /** What the peer does with the pages, by its own account; 'unknown' unless they were {@link offer}ed. */
  get peer(): PeerState {
    return this.#work.peer
  }

  /**
   * Resolves with 'released' when the peer has mapped the pages and unmapped them, in order or by dying, or when its
   * whole domain is gone, and with 'unknown' when that cannot be told.
   */
  released(options?: ReleasedOptions): Promise<PeerState> {
    return this.#work.released(options)
  }

  /** For another thread of this process, which attaches to it through a GrantClient. */
  handle(): GrantHandle {
    return this.#work.handle()
  }

  /**
   * Takes the pages back. Waits for fills and runs, and for other threads that have attached, unless forced. `bytes` is
   * empty from the moment it begins to give back; zero pages take the place of the memory, so that what still has a view
   * of it (a thread, a system call, a job of zlib's) can neither crash nor reach anything. Calling it again does nothing. A peer
   * that still maps a page keeps seeing it, zeroed, until it unmaps it.
   *
   * With `force`, nothing is waited for, and running fills are aborted.
   *
   * With `whenReleased` it first waits until the peer has unmapped them, so that the pages are free at once afterwards;
   * after `timeout` they are taken back all the same, and counted in `stats().deferred` until the peer unmaps them.
   *
   * Aborting by `signal` while it waits leaves the grant shared and usable.
   */
  unshare(options?: UnshareOptions): Promise<void> {
    return this.#work.unshare(options)
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    return inLine(
      'Grant',
      {
        id: this.id,
        domid: this.domid,
        pages: this.pages,
        writable: this.writable,
        refs: rangeOf(this.#work.refs),
        state: this.#work.live ? 'shared' : 'unshared',
      },
      options,
    )
  }

  /** For `await using`: {@link unshare}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#work.unshare()
  }
}
