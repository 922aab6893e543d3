import { PAGE_SIZE } from '../../abi.js'
import { untilAborted } from '../../abort.js'
import { type PeerState, peerState, StatusByte } from '../../pages/peer-status.js'

/** Two bytes in a status page, for as long as a grant is watched. */
export interface StatusSlot {
  /** Reference of the status page. */
  readonly ref: number
  readonly offset: number
  readonly domid: number
  /** What the peer says at the moment. */
  state(): PeerState
  /**
   * The domain is gone, and its kernel with it, before it could clear the byte: does it in its stead. A later domain of
   * the same number that maps the grant sets it again.
   */
  domainGone(): void
  /** Resolves when the page is given back too, if this was its last slot. Idempotent, never rejects. */
  free(): Promise<void>
}

/** What it needs of the grant of such a page. */
export interface StatusGrant {
  readonly refs: Uint32Array
  readonly bytes: Uint8Array
  unshare(): Promise<void>
}

export interface SlotOptions {
  /** Whether to wait for a page. */
  wait: boolean
  signal: AbortSignal | undefined
}

interface StatusPage {
  grant: StatusGrant
  free: number[]
  used: number
}

/** A page on its way, and how many wait for it. */
interface Making {
  page: Promise<void>
  wanted: number
  abort: AbortController
}

const SLOTS = PAGE_SIZE / StatusByte.size

/** Status pages of one thread: one per domain for the first 2048 grants offered to it, given back with the last. */
export class StatusPages {
  readonly #share: (domid: number, wait: boolean, signal: AbortSignal) => Promise<StatusGrant>
  readonly #pages = new Map<number, StatusPage[]>()
  /** So that offers made at the same moment share one: by domain, and whether they wait. */
  readonly #making = new Map<string, Making>()

  /** @param share grants one page, writable for the domain */
  constructor(share: (domid: number, wait: boolean, signal: AbortSignal) => Promise<StatusGrant>) {
    this.#share = share
  }

  async slot(domid: number, options: SlotOptions): Promise<StatusSlot> {
    let page = this.#withRoom(domid)
    // Another offer may take the last slot, or give the page back, while this waits.
    while (!page) {
      await this.#made(domid, options)
      page = this.#withRoom(domid)
    }
    return this.#take(domid, page)
  }

  #withRoom(domid: number): StatusPage | undefined {
    return this.#pages.get(domid)?.find(({ free }) => free.length > 0)
  }

  /** Resolves when there is a new page. One that nobody waits for any more is not made. */
  async #made(domid: number, { wait, signal }: SlotOptions): Promise<void> {
    const key = `${domid} ${wait}`
    const making = this.#making.get(key) ?? this.#make(key, domid, wait)
    making.wanted++
    try {
      await untilAborted(making.page, signal)
    } finally {
      if (--making.wanted === 0) {
        if (this.#making.get(key) === making) this.#making.delete(key)
        making.abort.abort()
      }
    }
  }

  #make(key: string, domid: number, wait: boolean): Making {
    const abort = new AbortController()
    const forget = (): void => {
      if (this.#making.get(key) === making) this.#making.delete(key)
    }
    const page = this.#share(domid, wait, abort.signal)
      .finally(forget)
      .then(async (grant) => {
        const free = Array.from({ length: SLOTS }, (_, i) => SLOTS - 1 - i)
        const made = { grant, used: 0, free }
        this.#pages.set(domid, [...(this.#pages.get(domid) ?? []), made])
        if (making.wanted === 0) await this.#giveBack(domid, made)
      })
    const making: Making = { page, wanted: 0, abort }
    this.#making.set(key, making)
    return making
  }

  #take(domid: number, page: StatusPage): StatusSlot {
    const { grant } = page
    const index = page.free.pop()!
    const offset = index * StatusByte.size
    page.used++
    // Left by an earlier grant, or written by a peer that was told of the page.
    grant.bytes.fill(0, offset, offset + StatusByte.size)
    let freed = false
    return {
      ref: grant.refs[0]!,
      offset,
      domid,
      domainGone: () => {
        grant.bytes[offset + StatusByte.live] = 0
        grant.bytes[offset + StatusByte.seen] = 1
      },
      state: () => {
        const { bytes } = grant
        // Each read once: the peer may write between two looks.
        return peerState(bytes[offset + StatusByte.live], bytes[offset + StatusByte.seen])
      },
      free: async () => {
        if (freed) return
        freed = true
        page.free.push(index)
        page.used--
        if (page.used === 0) await this.#giveBack(domid, page)
      },
    }
  }

  async #giveBack(domid: number, page: StatusPage): Promise<void> {
    const kept = this.#pages.get(domid)!.filter((other) => other !== page)
    if (kept.length > 0) this.#pages.set(domid, kept)
    else this.#pages.delete(domid)
    // What fails is tried again when the client closes, and reported then.
    await page.grant.unshare().catch(() => {})
  }
}
