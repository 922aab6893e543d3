import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { PAGE_SIZE } from '../abi.js'
import { GrantError } from '../errors.js'
import type { EventChannel } from '../events/event-channel.js'
import { eventOrPause } from '../events/event-or-pause.js'
import type { Grant } from '../grants/grant.js'
import { VchanEnd } from './end.js'
import {
  chooseOrders,
  Live,
  NONCE_SIZE,
  type Orders,
  Page,
  pagesOf,
  placeInPage,
  placeOfNonce,
  writeLayout,
} from './layout.js'
import { giveBack, type Link, undo } from './link.js'
import { absolute, type CheckedServe } from './options.js'
import { type Keys, Rendezvous } from './rendezvous.js'
import { type DomainParts, Vigil } from './vigil.js'

/** How often the page is looked at for a client that does not notify (those before Xen 4.14), in milliseconds. */
const LOOK = 400

/** How long the pages of a vchan that this end has closed wait for the client to unmap them, in milliseconds. */
const LINGER = 1000

/** Offers a vchan and waits for its client. */
export async function serveLink(parts: DomainParts, options: CheckedServe): Promise<Link> {
  const { domid, signal } = options
  const [store, events, grants] = await Promise.all([parts.store(), parts.events(), parts.grants()])
  Vigil.of(parts).hear(events, grants)
  const self = await store.domid({ signal })
  const meeting = new Rendezvous(store, absolute(options.path, self))
  // Before a port is bound: it could be the one that stale keys name.
  await meeting.clear(signal)
  const orders = chooseOrders(options.receiveBytes, options.sendBytes)
  const pages = 1 + pagesOf(orders.left) + pagesOf(orders.right)
  const [channel, grant] = await Promise.allSettled([
    events.bindUnbound(domid),
    grants.share({ domid, pages, writable: true, signal }),
  ])
  if (channel.status === 'rejected')
    return undo(channel.reason, grant.status === 'fulfilled' ? grant.value.unshare() : undefined)
  if (grant.status === 'rejected') return undo(grant.reason, channel.value.close())
  const offer = new Offer(options, meeting, channel.value, grant.value, orders)
  try {
    await offer.publish(self)
    await offer.taken()
    return new ServerLink(offer)
  } catch (error) {
    return undo(error, offer.end())
  }
}

/** What a client may connect to. */
class Offer {
  readonly domid: number
  readonly orders: Orders
  readonly channel: EventChannel
  readonly grant: Grant
  readonly meeting: Rendezvous
  readonly keys: Keys
  readonly #signal: AbortSignal | undefined

  constructor(
    { domid, signal }: CheckedServe,
    meeting: Rendezvous,
    channel: EventChannel,
    grant: Grant,
    orders: Orders,
  ) {
    this.domid = domid
    this.orders = orders
    this.channel = channel
    this.grant = grant
    this.meeting = meeting
    this.#signal = signal
    const nonce = placeOfNonce(orders) === undefined ? undefined : randomBytes(NONCE_SIZE)
    writeLayout(grant.bytes, orders, grant.refs, nonce)
    this.keys = { ref: grant.refs[0]!, port: channel.port, nonce: nonce?.toString('hex') }
  }

  async publish(self: number): Promise<void> {
    const { channel, grant, keys, domid } = this
    const both = await Promise.allSettled([
      grant.setUnmapNotify({ clearByte: Page.serverLive, port: channel.port }),
      this.meeting.publish(keys, self, domid, this.#signal),
    ])
    for (const one of both) if (one.status === 'rejected') throw one.reason
  }

  /** Resolves when a client has connected. One that has come and gone is one as well, with what it has written. */
  async taken(): Promise<void> {
    const page = this.grant.bytes
    for (;;) {
      const live = Atomics.load(page, Page.clientLive)
      if (live === Live.connected || live === Live.gone) return
      if (live !== Live.waiting || Atomics.load(page, Page.serverLive) !== Live.connected)
        throw this.#nonsense()
      await eventOrPause(this.channel, LOOK, this.#signal)
    }
  }

  #nonsense(): GrantError {
    const { domid } = this
    const path = this.meeting.base
    const message = `the vchan for domain ${domid} at ${path}: it has written nonsense to the page`
    return new GrantError('ERR_GRANTS_PROTOCOL', message, { domid, path })
  }

  /** The keys first: what they name is free for others then. */
  async end(): Promise<void> {
    await this.meeting.withdraw(this.keys).finally(() => giveBack(this.grant.unshare(), this.channel.close()))
  }
}

class ServerLink implements Link {
  readonly domid: number
  readonly path: string
  readonly end: VchanEnd
  readonly channel: EventChannel
  readonly #grant: Grant
  /** No other client is to find them. The one that has connected need not wait for that. */
  readonly #withdrawn: Promise<void>

  /** @throws GrantError ERR_GRANTS_PROTOCOL */
  constructor({ domid, meeting, keys, channel, grant, orders }: Offer) {
    this.domid = domid
    this.path = meeting.base
    this.channel = channel
    this.#grant = grant
    const { bytes } = grant
    const [left, right] = placesOf(orders)
    this.end = new VchanEnd(
      'server',
      {
        page: bytes.subarray(0, PAGE_SIZE),
        left: bytes.subarray(left, left + 2 ** orders.left),
        right: bytes.subarray(right, right + 2 ** orders.right),
      },
      domid,
    )
    this.#withdrawn = meeting.withdraw(keys)
    // A failure is release()'s to tell.
    this.#withdrawn.catch(() => {})
  }

  get mapped(): boolean {
    return this.#grant.bytes.length > 0
  }

  async release(peerDead: boolean): Promise<void> {
    const { end, channel } = this
    try {
      if (this.mapped) {
        end.markClosed()
        channel.notify()
        if (!peerDead) await this.#clientUnmaps()
      }
    } catch {
      // Without its channel, or with nonsense in the page, there is nothing to wait for.
    }
    await giveBack(this.#withdrawn, this.#grant.unshare(), channel.close())
  }

  /** What is taken back before that comes free late: the kernel tries again ten times a second, one page each. */
  async #clientUnmaps(): Promise<void> {
    const until = performance.now() + LINGER
    for (let left = LINGER; left > 0 && !this.end.peerGone(); left = until - performance.now())
      await eventOrPause(this.channel, left, undefined)
  }
}

/** Where left and right are, from the beginning of the shared page: rings with pages of their own follow it in that order. */
function placesOf({ left, right }: Orders): [left: number, right: number] {
  return [placeInPage(left) ?? PAGE_SIZE, placeInPage(right) ?? PAGE_SIZE * (1 + pagesOf(left))]
}
