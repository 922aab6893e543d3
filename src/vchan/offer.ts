import type { Buffer } from 'node:buffer'
import { GrantError } from '../errors.js'
import type { EventChannel } from '../events/event-channel.js'
import { eventOrPause } from '../events/event-or-pause.js'
import type { Grant } from '../grants/grant.js'
import { chooseOrders, Live, type Orders, Page, pagesOf, placeOfNonce, writeLayout } from './layout.js'
import { giveBack, lossOf, undo } from './link.js'
import type { Keys, Rendezvous } from './rendezvous.js'
import { type DomainParts, Vigil } from './vigil.js'

/** How often the page is looked at for a client that does not notify (those before Xen 4.14), in milliseconds. */
export const LOOK = 400

/** For whom, and how large. */
export interface OfferOptions {
  domid: number
  receiveBytes: number
  sendBytes: number
  signal: AbortSignal | undefined
}

/** What one client may connect to: a port, pages, and the keys that lead to both. */
export class Offer {
  readonly domid: number
  readonly orders: Orders
  readonly channel: EventChannel
  readonly grant: Grant
  readonly meeting: Rendezvous
  readonly keys: Keys
  readonly #nonce: Buffer | undefined
  readonly #signal: AbortSignal | undefined

  private constructor(options: OfferOptions, meeting: Rendezvous, channel: EventChannel, grant: Grant) {
    this.domid = options.domid
    this.orders = chooseOrders(options.receiveBytes, options.sendBytes)
    this.channel = channel
    this.grant = grant
    this.meeting = meeting
    this.#signal = options.signal
    this.#nonce = placeOfNonce(this.orders) === undefined ? undefined : meeting.newNonce()
    this.keys = { ref: grant.refs[0]!, port: channel.port, nonce: this.#nonce?.toString('hex') }
  }

  /** Not published yet. @throws what sharing pages and binding a port throws; the signal's reason */
  static async make(parts: DomainParts, meeting: Rendezvous, options: OfferOptions): Promise<Offer> {
    const { domid, signal } = options
    const [events, grants] = await Promise.all([parts.events(), parts.grants()])
    Vigil.of(parts).hear(events, grants)
    const { left, right } = chooseOrders(options.receiveBytes, options.sendBytes)
    const pages = 1 + pagesOf(left) + pagesOf(right)
    const [channel, grant] = await Promise.allSettled([
      events.bindUnbound(domid),
      grants.share({ domid, pages, writable: true, signal }),
    ])
    if (channel.status === 'rejected')
      return undo(channel.reason, grant.status === 'fulfilled' ? grant.value.unshare() : undefined)
    if (grant.status === 'rejected') return undo(grant.reason, channel.value.close())
    const offer = new Offer(options, meeting, channel.value, grant.value)
    try {
      offer.#mustBeShared()
      writeLayout(offer.grant.bytes, offer.orders, offer.grant.refs, offer.#nonce)
      return offer
    } catch (error) {
      return undo(error, offer.end())
    }
  }

  /** In place of what has been offered there before. @param self the domain that serves */
  async publish(self: number): Promise<void> {
    const { channel, grant, keys, domid } = this
    const both = await Promise.allSettled([
      grant.setUnmapNotify({ clearByte: Page.serverLive, port: channel.port }),
      this.meeting.publish(keys, self, domid, this.#signal),
    ])
    // A port that cannot be named any more is what comes of the end of its channel, and not why.
    for (const one of both) if (one.status === 'rejected') throw this.channel.ended ?? one.reason
  }

  /**
   * Whether a client has connected. One that has come and gone is one as well, with what it has written.
   * @throws why the pages or the channel are gone; GrantError ERR_GRANTS_PROTOCOL
   */
  get taken(): boolean {
    const page = this.grant.bytes
    const { ended } = this.channel
    if (ended) throw ended
    // Zeros in its place look like a client that has gone.
    this.#mustBeShared()
    const live = Atomics.load(page, Page.clientLive)
    if (live > Live.waiting || Atomics.load(page, Page.serverLive) !== Live.connected) throw this.#nonsense()
    return live !== Live.waiting
  }

  /** Resolves when it is. @throws as `taken`; the signal's reason */
  async untilTaken(): Promise<void> {
    while (!this.taken) await eventOrPause(this.channel, LOOK, this.#signal)
  }

  #mustBeShared(): void {
    const loss = lossOf(this.grant)
    if (loss) throw loss
  }

  #nonsense(): GrantError {
    const { domid } = this
    const path = this.meeting.base
    const message = `the vchan for domain ${domid} at ${path}: it has written nonsense to the page`
    return new GrantError('ERR_GRANTS_PROTOCOL', message, { domid, path })
  }

  /** Takes it back. The keys first: what they name is free for others then. */
  async end(): Promise<void> {
    await this.meeting
      .withdraw(this.keys)
      .finally(() => this.#giveBack())
      .finally(() => this.meeting.leave(this.keys))
  }

  #giveBack(): Promise<void> {
    const page = this.grant.bytes
    // A client that has read the keys before may find the port bound anew, and looks at the page after that.
    if (page.length > 0) Atomics.store(page, Page.serverLive, Live.gone)
    return giveBack(this.grant.unshare(), this.channel.close())
  }
}
