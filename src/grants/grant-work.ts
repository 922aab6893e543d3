import { clearTimeout, setTimeout } from 'node:timers'
import type { URL } from 'node:url'
import { onAbort } from '../abort.js'
import { checkBoolean, checkOptions, checkSignal, invalidArgValue } from '../arguments.js'
import { isHeard, publish, published } from '../diagnostics.js'
import { GrantError } from '../errors.js'
import type { FillResult } from '../fill/fill.js'
import type { FillerGrant } from '../fill/fill-messages.js'
import type { FillSource } from '../fill/source.js'
import type { GrantOffer } from '../pages/offer.js'
import type { FillOptions, RunOptions } from '../pages/page-options.js'
import { type PagesContext, PagesWork } from '../pages/pages-work.js'
import type { PeerState } from '../pages/peer-status.js'
import { notifyArguments, type UnmapNotifyOptions } from '../unmap-notify.js'
import type { ClientContext } from './client-context.js'
import type { Connection } from './device-connection.js'
import type { GrantActions } from './grant.js'
import { Op } from './grant-messages.js'
import type { GrantHandle } from './handle.js'
import type { OfferOptions, ReleasedOptions } from './offer-options.js'
import type { OpenGrant } from './open-grants.js'
import { PeerWatch } from './peer/peer-watch.js'
import { checkUnshare, DEFAULT_RELEASE_TIMEOUT, type UnshareOptions } from './unshare-options.js'
import { type Unsharable, Unsharing } from './unsharing.js'

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

/** What those are told who had attached to it. */
export function takenByForce(id: number): GrantError {
  return new GrantError('ERR_GRANTS_UNSHARED', `grant ${id} was taken back by force`)
}

const IN_ORDER: UnshareOptions = {}

/** Waiting would look as if it had been waited for. */
function nothingTells(id: number): Error {
  const why = `needs grant.offer(), in this thread and before: nothing tells when the peer of grant ${id} unmaps it`
  return invalidArgValue('options.whenReleased', why, true)
}

/** One lease of a grant, with everything that is done through it. Users see it as a {@link Grant}. */
export class GrantWork extends PagesWork implements GrantActions, OpenGrant, Unsharable {
  readonly id: number
  readonly domid: number
  readonly writable: boolean
  readonly refs: readonly number[]
  readonly owner: boolean
  readonly #context: ClientContext
  readonly #unsharing: Unsharing
  #watch: PeerWatch | undefined
  #whenEnded: (() => void) | undefined

  constructor({ id, domid, writable, buffer, refs, owner }: GrantFacts, context: ClientContext) {
    super(buffer, refs.length, context)
    this.id = id
    this.domid = domid
    this.writable = writable
    this.refs = refs
    this.owner = owner
    this.#context = context
    this.#unsharing = new Unsharing(this)
    context.grants.add(this)
  }

  get connection(): Connection {
    return this.#context.connection
  }

  override get live(): boolean {
    return this.#unsharing.live
  }

  override mustBeUsable(): void {
    this.#unsharing.mustBeLive()
  }

  protected override mustBeWritable(): void {
    this.#unsharing.mustBeLive()
  }

  override get fillerGrant(): FillerGrant {
    const { id, domid, pages } = this
    const refs = new Uint32Array(this.refs)
    return { id, domid, pages, refs, deviceThread: this.#context.deviceThread }
  }

  override filled(result: FillResult): void {
    const { id, domid } = this
    const { bytes, slices, milliseconds } = result
    publish('xen-grants:fill', () => ({ id, domid, bytes, slices, milliseconds }))
  }

  override fill(source: FillSource, options: FillOptions | undefined): Promise<FillResult> {
    return published('fill', () => super.fill(source, options))
  }

  override run<Result>(module: URL | string, options: RunOptions | undefined): Promise<Result[]> {
    return published('run', () => super.run<Result>(module, options))
  }

  async setUnmapNotify(options: UnmapNotifyOptions): Promise<void> {
    const { offset, action, port } = notifyArguments(options, this.pages)
    this.mustBeUsable()
    await published('setUnmapNotify', () =>
      this.connection.request(Op.setUnmapNotify, this.id, offset, action, port),
    )
  }

  handle(): GrantHandle {
    const { id, domid, pages, writable } = this
    this.mustBeUsable()
    return { type: 'xen-grants.handle', server: this.#context.server, id, domid, pages, writable }
  }

  async offer(options: OfferOptions | undefined): Promise<GrantOffer> {
    const known = ['channel', 'wait', 'signal'] as const
    const { channel, wait = false, signal } = checkOptions<OfferOptions>('options', options, known)
    checkBoolean('options.wait', wait)
    checkSignal('options.signal', signal)
    this.mustBeUsable()
    const { statusPages, deferred, domainExists } = this.#context
    this.#watch ??= new PeerWatch(statusPages, deferred, domainExists)
    const status = await this.#watch.status(this.domid, channel, { wait, signal })
    return { refs: [...this.refs], writable: this.writable, status }
  }

  get peer(): PeerState {
    return this.#watch?.state ?? 'unknown'
  }

  async released(options: ReleasedOptions | undefined): Promise<PeerState> {
    const { signal } = checkOptions<ReleasedOptions>('options', options, ['signal'])
    checkSignal('options.signal', signal)
    return this.#watch?.released(signal) ?? 'unknown'
  }

  unshare(options?: UnshareOptions): Promise<void> {
    // The hot path: without a promise more than it needs.
    if (options === undefined && !this.#watch) return this.#unsharing.unshare(IN_ORDER)
    return this.#unshareWith(options)
  }

  async #unshareWith(options: UnshareOptions | undefined): Promise<void> {
    const checked = checkUnshare(options)
    if (checked.whenReleased && this.#unsharing.live) {
      if (!this.#watch) throw nothingTells(this.id)
      await this.#untilReleased(this.#watch, checked)
    }
    await this.#unsharing.unshare(checked)
    if (this.#watch) await this.#watch.ended()
  }

  async #untilReleased(watch: PeerWatch, { timeout, signal }: UnshareOptions): Promise<void> {
    // Not AbortSignal.any: Node 20 keeps something of each such signal for as long as the caller's lives.
    const stop = new AbortController()
    const { signal: stopped } = stop
    const late = setTimeout(() => stop.abort(), timeout ?? DEFAULT_RELEASE_TIMEOUT)
    const takeBack = signal && onAbort(signal, () => stop.abort())
    try {
      await watch.released(stopped)
    } catch (error) {
      signal?.throwIfAborted()
      if (!stopped.aborted) throw error
    } finally {
      takeBack?.()
      clearTimeout(late)
    }
  }

  gaveBack(force: boolean): void {
    // What has attached to it in other threads is told by the device worker.
    if (force)
      for (const other of this.#context.grants.withId(this.id))
        if (other !== this) other.revoke(takenByForce(this.id))
    if (!isHeard('xen-grants:unshare')) return
    const { id, domid, pages } = this
    publish('xen-grants:unshare', () => ({ id, domid, pages, force }))
  }

  failedToEnd(error: unknown): void {
    publish('xen-grants:error', () => ({ operation: 'unshare', error: error as Error }))
  }

  ended(): void {
    this.dropMemory()
    this.#context.grants.delete(this)
    this.#watch?.end(this.pages)
    this.#whenEnded?.()
  }

  /** @param ended is called when this lease is over, in whatever way */
  onEnded(ended: () => void): void {
    this.#whenEnded = ended
  }

  /** Another use of the same pages, see {@link PagesWork}. */
  get pagesContext(): PagesContext {
    return this.#context
  }

  revoke(reason: GrantError): void {
    this.#unsharing.revoked(reason)
  }

  idle(): Promise<void> {
    return this.inFlight.idle()
  }
}
