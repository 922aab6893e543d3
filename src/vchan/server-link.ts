import { performance } from 'node:perf_hooks'
import { PAGE_SIZE } from '../abi.js'
import type { EventChannel } from '../events/event-channel.js'
import { eventOrPause } from '../events/event-or-pause.js'
import type { Grant } from '../grants/grant.js'
import { VchanEnd } from './end.js'
import { type Orders, pagesOf, placeInPage } from './layout.js'
import { giveBack, type Link, lossOf } from './link.js'
import type { Offer } from './offer.js'
import type { Keys, Rendezvous } from './rendezvous.js'

/** How long the pages of a vchan that this end has closed wait for the client to unmap them, in milliseconds. */
const LINGER = 1000
/** How often the page is looked at then, without a channel, in milliseconds. */
const LOOK = 50

/** The end that has granted the pages, of an offer that a client has taken. */
export class ServerLink implements Link {
  readonly domid: number
  readonly path: string
  readonly end: VchanEnd
  readonly channel: EventChannel
  readonly #meeting: Rendezvous
  readonly #keys: Keys
  readonly #grant: Grant
  readonly #withdrawn: Promise<void>

  /**
   * @param withdrawn when its keys are gone, so that no other client finds them. The one that has connected need not wait for
   *   that
   * @throws GrantError ERR_GRANTS_PROTOCOL
   */
  constructor({ domid, meeting, keys, channel, grant, orders }: Offer, withdrawn: Promise<void>) {
    this.domid = domid
    this.path = meeting.base
    this.channel = channel
    this.#meeting = meeting
    this.#keys = keys
    this.#grant = grant
    this.#withdrawn = withdrawn
    // A failure is release()'s to tell.
    withdrawn.catch(() => {})
    const { bytes } = grant
    const [left, right] = placesOf(orders)
    this.end = new VchanEnd(
      'server',
      {
        page: bytes.subarray(0, PAGE_SIZE),
        left: bytes.subarray(left, left + 2 ** orders.left),
        right: bytes.subarray(right, right + 2 ** orders.right),
      },
      this,
    )
  }

  get lost(): Error | undefined {
    return lossOf(this.#grant)
  }

  async release(peerDead: boolean): Promise<void> {
    const { end, channel } = this
    try {
      if (!this.lost) {
        end.markClosed()
        if (!channel.ended) channel.notify()
        if (!peerDead) await this.#clientUnmaps()
      }
    } catch {
      // With nonsense in the page, or a channel that ends meanwhile, there is nothing to wait for.
    }
    await giveBack(this.#withdrawn, this.#grant.unshare(), channel.close()).finally(() =>
      this.#meeting.leave(this.#keys),
    )
  }

  /** What is taken back before that comes free late: the kernel tries again ten times a second, one page each. */
  async #clientUnmaps(): Promise<void> {
    const until = performance.now() + LINGER
    // Without its channel the client looks by itself, sooner or later.
    const [channel, longest] = this.channel.ended ? [undefined, LOOK] : [this.channel, LINGER]
    for (let left = LINGER; left > 0 && !this.end.peerGone(); left = until - performance.now())
      await eventOrPause(channel, Math.min(left, longest), undefined)
  }
}

/** Where left and right are, from the beginning of the shared page: rings with pages of their own follow it in that order. */
function placesOf({ left, right }: Orders): [left: number, right: number] {
  return [placeInPage(left) ?? PAGE_SIZE, placeInPage(right) ?? PAGE_SIZE * (1 + pagesOf(left))]
}
