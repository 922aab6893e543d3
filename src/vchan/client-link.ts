import { PAGE_SIZE } from '../abi.js'
import type { EventChannel } from '../events/event-channel.js'
import type { MappedGrant } from '../mapping/mapped-grant.js'
import { VchanEnd } from './end.js'
import { type Orders, placeInPage } from './layout.js'
import { giveBack, type Link } from './link.js'

interface Mapped {
  domid: number
  path: string
  channel: EventChannel
  /** The shared page. */
  control: MappedGrant<true>
  /** Of rings with pages of their own. */
  left: MappedGrant | undefined
  right: MappedGrant | undefined
  layout: Orders
}

/** The end that has mapped the pages. */
export class ClientLink implements Link {
  readonly domid: number
  readonly path: string
  readonly end: VchanEnd
  readonly channel: EventChannel
  readonly #control: MappedGrant<true>
  readonly #rings: MappedGrant[]

  /** @throws GrantError ERR_GRANTS_PROTOCOL */
  constructor({ domid, path, channel, control, left, right, layout }: Mapped) {
    this.domid = domid
    this.path = path
    this.channel = channel
    this.#control = control
    this.#rings = [left, right].filter((ring) => ring !== undefined)
    const page = control.bytes.subarray(0, PAGE_SIZE)
    const ring = (own: MappedGrant | undefined, order: number): Uint8Array => {
      const place = placeInPage(order)
      // Right is mapped for reading only, and its end only reads.
      if (place === undefined) return own!.bytes as Uint8Array
      return page.subarray(place, place + 2 ** order)
    }
    this.end = new VchanEnd(
      'client',
      { page, left: ring(left, layout.left), right: ring(right, layout.right) },
      domid,
    )
  }

  get mapped(): boolean {
    return this.#control.bytes.length > 0
  }

  /** In the order of libxenvchan: when the server sees that this end is closed, its rings are free. */
  async release(): Promise<void> {
    const { end, channel } = this
    const rings = Promise.allSettled(this.#rings.map((ring) => ring.unmap()))
    const unmapped = await rings
    if (this.mapped) end.markClosed()
    await giveBack(this.#control.unmap(), ...unmapped.map(settled))
    try {
      channel.notify()
    } catch {
      // Closed already, with the channels of this domain. The kernel has notified as well.
    }
    await giveBack(channel.close())
  }
}

function settled(result: PromiseSettledResult<void>): Promise<void> {
  return result.status === 'rejected' ? Promise.reject(result.reason) : Promise.resolve()
}
