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
  const meeting = new Rendezvous(store, absolute(options.path, await store.domainPath(self, { signal })))
  // Before a port is bound: it could be the one that stale keys name.
  await meeting.clear(signal)
  const orders = chooseOrders(options.receiveBytes, options.sendBytes)
  const channel = await events.bindUnbound(domid)
  let grant: Grant | undefined
  try {
    const pages = 1 + pagesOf(orders.left) + pagesOf(orders.right)
    grant = await grants.share({ domid, pages, writable: true, signal })
    const nonce = placeOfNonce(orders) === undefined ? undefined : randomBytes(NONCE_SIZE)
    writeLayout(grant.bytes, orders, grant.refs, nonce)
    await grant.setUnmapNotify({ clearByte: Page.serverLive, port: channel.port })
    const keys = { ref: grant.refs[0]!, port: channel.port, nonce: nonce?.toString('hex') }
    await publishUntilConnected(meeting, keys, { self, domid, page: grant.bytes, channel, signal })
    return new ServerLink(options, meeting.base, channel, grant, orders)
  } catch (error) {
    return undo(error, grant?.unshare(), channel.close())
  }
}

interface Offered {
  self: number
  domid: number
  page: Uint8Array
  channel: EventChannel
  signal: AbortSignal | undefined
}

async function publishUntilConnected(meeting: Rendezvous, keys: Keys, offered: Offered): Promise<void> {
  const { self, domid, page, channel, signal } = offered
  try {
    await meeting.publish(keys, self, domid, signal)
    for (;;) {
      const live = Atomics.load(page, Page.clientLive)
      // One that has come and gone is a connection as well, with what it has written.
      if (live === Live.connected || live === Live.gone) break
      if (live !== Live.waiting || Atomics.load(page, Page.serverLive) !== Live.connected)
        throw new GrantError(
          'ERR_GRANTS_PROTOCOL',
          `domain ${domid} has written nonsense to the vchan at ${meeting.base}`,
          {
            domid,
          },
        )
      await eventOrPause(channel, LOOK, signal)
    }
  } catch (error) {
    return undo(error, meeting.withdraw(keys))
  }
  await meeting.withdraw(keys)
}

class ServerLink implements Link {
  readonly domid: number
  readonly path: string
  readonly end: VchanEnd
  readonly channel: EventChannel
  readonly #grant: Grant

  /** @throws GrantError ERR_GRANTS_PROTOCOL */
  constructor({ domid }: CheckedServe, path: string, channel: EventChannel, grant: Grant, orders: Orders) {
    this.domid = domid
    this.path = path
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
    await giveBack(this.#grant.unshare(), channel.close())
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
