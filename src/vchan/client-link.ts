import { PAGE_SIZE } from '../abi.js'
import type { EventChannel } from '../events/event-channel.js'
import type { MappedGrant } from '../mapping/mapped-grant.js'
import { VchanEnd } from './end.js'
import { type Orders, placeInPage } from './layout.js'
import { giveBack, type Link, lossOf } from './link.js'
import type { Sign } from './sign.js'

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
  /** Of its domain. */
  sign: Sign | undefined
}

/** The end that has mapped the pages. */
export class ClientLink implements Link {
  readonly domid: number
  readonly path: string
  readonly end: VchanEnd
  readonly channel: EventChannel
  readonly sign: Sign | undefined
  readonly #control: MappedGrant<true>
  readonly #rings: MappedGrant[]

  /** @throws GrantError ERR_GRANTS_PROTOCOL */
  constructor({ domid, path, channel, control, left, right, layout, sign }: Mapped) {
    this.domid = domid
    this.path = path
    this.channel = channel
    this.sign = sign
    this.#control = control
    this.#rings = [left, right].filter((ring) => ring !== undefined)
    const page = control.bytes.subarray(0, PAGE_SIZE)
    const ring = (own: MappedGrant | undefined, order: number): Uint8Array => {
      const place = placeInPage(order)
      // Right is mapped for reading only, and its end only reads.
      if (place === undefined) return own!.bytes as Uint8Array
      return page.subarray(place, place + 2 ** order)
    }
    const memory = { page, left: ring(left, layout.left), right: ring(right, layout.right) }
    this.end = new VchanEnd('client', memory, this)
  }

  get lost(): Error | undefined {
    return this.#rings.map(lossOf).find((loss) => loss) ?? lossOf(this.#control)
  }

  /**
   * In the order of libxenvchan: when the server sees that this end is closed, its rings are free. The mapping worker does one
   * after the other. That the page is unmapped is what closes it: the kernel clears the byte of this end then, and notifies,
   * also by a port that has been closed here meanwhile.
   */
  async release(): Promise<void> {
    this.sign?.end()
    const unmapped = [...this.#rings, this.#control].map((pages) => pages.unmap())
    await giveBack(...unmapped, this.channel.close())
  }
}
