import { checkOptions, checkSignal } from '../arguments.js'
import { isHeard, publish, published } from '../diagnostics.js'
import { GrantError } from '../errors.js'
import type { EventChannel } from '../events/event-channel.js'
import type { FillResult } from '../fill/fill.js'
import type { FillerGrant } from '../fill/fill-messages.js'
import type { FillSource } from '../fill/source.js'
import type { GrantOffer } from '../pages/offer.js'
import type { PeerState } from '../pages/peer-status.js'
import { type FillOptions, type RunOptions, SharedPages } from '../pages/shared-pages.js'
import { notifyArguments, type UnmapNotifyOptions } from '../unmap-notify.js'
import type { ClientContext } from './client-context.js'
import type { Connection } from './device-connection.js'
import { Op } from './grant-messages.js'
import type { GrantHandle } from './handle.js'
import { PeerWatch } from './peer/peer-watch.js'
import { checkUnshare, DEFAULT_RELEASE_TIMEOUT, type UnshareOptions } from './unshare-options.js'
import { Unsharing } from './unsharing.js'

/** What the device worker said of a grant. */
export interface GrantFacts {
  id: number
  domid: number
  writable: boolean
  buffer: SharedArrayBuffer
  refs: readonly number[]
  /** Whether this thread shared it, or attached to it. */
  owner: boolean
}

export interface OfferOptions {
  /** Bound for the peer's domain: wakes this side when the peer lets go, if the peer has event channels too. */
  channel?: EventChannel
}

export interface ReleasedOptions {
  signal?: AbortSignal
}

/** What those are told who had attached to it. */
export function takenByForce(id: number): GrantError {
  return new GrantError('ERR_GRANTS_UNSHARED', `grant ${id} was taken back by force`)
}

const IN_ORDER: UnshareOptions = {}

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
  readonly #refs: readonly number[]
  readonly #context: ClientContext
  readonly #unsharing: Unsharing
  #watch: PeerWatch | undefined

  /** @internal */
  readonly owner: boolean

  /** @internal */
  constructor(facts: GrantFacts, context: ClientContext) {
    super(facts.buffer, facts.refs.length, context)
    this.id = facts.id
    this.domid = facts.domid
    this.writable = facts.writable
    this.#refs = facts.refs
    this.owner = facts.owner
    this.#context = context
    this.#unsharing = new Unsharing(this)
    context.grants.add(this)
  }

  /** One grant reference per page, for the peer. A copy. */
  get refs(): Uint32Array {
    return new Uint32Array(this.#refs)
  }

  /** @internal */
  get connection(): Connection {
    return this.#context.connection
  }

  /** @internal */
  gaveBack(force: boolean): void {
    // Who has attached to it in other threads is told by the device worker.
    if (force)
      for (const other of this.#context.grants.withId(this.id))
        if (other !== this) other.revoke(takenByForce(this.id))
    if (!isHeard('xen-grants:unshare')) return
    const { id, domid, pages } = this
    publish('xen-grants:unshare', () => ({ id, domid, pages, force }))
  }

  /** @internal */
  failedToEnd(error: unknown): void {
    publish('xen-grants:error', () => ({ operation: 'unshare', error: error as Error }))
  }

  /** @internal */
  ended(): void {
    this.dropMemory()
    this.#context.grants.delete(this)
    this.#watch?.end(this.pages)
  }

  /** @internal */
  protected override get live(): boolean {
    return this.#unsharing.live
  }

  /** @internal */
  protected override mustBeUsable(): void {
    this.#unsharing.mustBeLive()
  }

  /** @internal */
  protected override mustBeWritable(): void {
    this.#unsharing.mustBeLive()
  }

  /** @internal */
  protected override filled(result: FillResult): void {
    super.filled(result)
    const { id, domid } = this
    const { bytes, slices, milliseconds } = result
    publish('xen-grants:fill', () => ({ id, domid, bytes, slices, milliseconds }))
  }

  override fill(source: FillSource, options?: FillOptions): Promise<FillResult> {
    return published('fill', () => super.fill(source, options))
  }

  override run(module: URL | string, options?: RunOptions): Promise<unknown[]> {
    return published('run', () => super.run(module, options))
  }

  /** @internal */
  protected override get fillerGrant(): FillerGrant {
    const { id, domid, pages } = this
    return { id, domid, pages, refs: this.refs, deviceThread: this.#context.deviceThread }
  }

  /**
   * What the kernel does for the peer when a page of the grant goes because this process crashed: set a byte to zero,
   * send an event, or both. One per page; replaces an earlier one; `{}` disarms. An orderly unshare disarms first.
   *
   * @throws GrantError EINVAL when the port is not bound in this domain
   */
  async setUnmapNotify(options: UnmapNotifyOptions): Promise<void> {
    const { offset, action, port } = notifyArguments(options, this.pages)
    this.mustBeUsable()
    const { connection } = this.#context
    await published('setUnmapNotify', () =>
      connection.request(Op.setUnmapNotify, this.id, offset, action, port),
    )
  }

  /**
   * What to tell the peer, as plain data: its `GrantMapper` takes it whole. From then on this side knows what the
   * peer does with the pages. Costs one page per domain, not per grant. See docs/teardown.md.
   *
   * @throws what sharing a page throws
   */
  async offer(options?: OfferOptions): Promise<GrantOffer> {
    const { channel } = checkOptions<OfferOptions>('options', options, ['channel'])
    this.mustBeUsable()
    const { board, deferred, domainExists } = this.#context
    this.#watch ??= new PeerWatch(board, deferred, domainExists)
    const status = await this.#watch.status(this.domid, channel)
    return { refs: [...this.#refs], writable: this.writable, status }
  }

  /** What the peer does with the pages, by its own account; 'unknown' unless they were {@link offer}ed. */
  get peer(): PeerState {
    return this.#watch?.state ?? 'unknown'
  }

  /**
   * Resolves with 'released' when the peer has mapped the pages and let go of them, in order or by dying, or when its
   * whole domain is gone, and with 'unknown' when that cannot be told.
   */
  async released(options?: ReleasedOptions): Promise<PeerState> {
    const { signal } = checkOptions<ReleasedOptions>('options', options, ['signal'])
    checkSignal('options.signal', signal)
    return this.#watch?.released(signal) ?? 'unknown'
  }

  /** For another thread of this process, which attaches to it through a GrantClient. */
  handle(): GrantHandle {
    const { id, domid, pages, writable } = this
    this.mustBeUsable()
    return { type: 'xen-grants.handle', server: this.#context.server, id, domid, pages, writable }
  }

  /**
   * Takes the pages back. Waits for fills and runs, and for other threads that have attached, unless forced. `bytes` is
   * empty from the moment it begins to give back; zero pages take the place of the memory, so that whoever still has a view
   * of it (a thread, a system call, a job of zlib's) cannot crash or reach anything. Calling it again does nothing. A peer
   * that still maps a page keeps seeing it, zeroed, until it unmaps it.
   *
   * With `force`, nothing is waited for, and running fills are aborted.
   *
   * With `whenReleased` it first waits until the peer has let go, so that the pages are free at once afterwards; after
   * `timeout` they are taken back all the same, and counted in `stats().deferred` until the peer lets go.
   *
   * Aborting by `signal` while it waits leaves the grant shared and usable.
   */
  unshare(options?: UnshareOptions): Promise<void> {
    // The hot path: without a promise more than it needs.
    if (options === undefined && !this.#watch) return this.#unsharing.unshare(IN_ORDER)
    return this.#unshareWith(options)
  }

  async #unshareWith(options: UnshareOptions | undefined): Promise<void> {
    const checked = checkUnshare(options)
    if (checked.whenReleased && this.#unsharing.live) await this.#untilReleased(checked)
    await this.#unsharing.unshare(checked)
    if (this.#watch) await this.#watch.ended()
  }

  async #untilReleased({ timeout, signal }: UnshareOptions): Promise<void> {
    const late = AbortSignal.timeout(timeout ?? DEFAULT_RELEASE_TIMEOUT)
    try {
      await this.#watch?.released(signal ? AbortSignal.any([signal, late]) : late)
    } catch (error) {
      signal?.throwIfAborted()
      if (!late.aborted) throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unshare()
  }

  /**
   * The memory is no longer the grant's: `bytes` becomes empty, running work is aborted.
   * @internal
   */
  revoke(reason: GrantError): void {
    this.#unsharing.revoked(reason)
  }

  /**
   * Resolves when nothing of this thread runs in the pages.
   * @internal
   */
  idle(): Promise<void> {
    return this.work.idle()
  }
}
