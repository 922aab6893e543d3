import { GrantError } from '../errors.js'
import { Live, Page } from './layout.js'
import { type Peer, RingReader, RingWriter } from './ring.js'

export type Role = 'server' | 'client'

export interface EndMemory {
  /** The shared page. */
  page: Uint8Array<SharedArrayBuffer>
  left: Uint8Array
  right: Uint8Array
}

/** One end of a vchan as its memory: both rings, and who has to be woken. */
export class VchanEnd {
  readonly reader: RingReader
  readonly writer: RingWriter
  readonly #page: Uint8Array
  readonly #peer: Peer
  readonly #ownLive: number
  readonly #peerLive: number
  /** Bits that the other end sets and this one clears. */
  readonly #owed: number
  readonly #asked: number

  /** @throws GrantError ERR_GRANTS_PROTOCOL when the indexes are impossible */
  constructor(role: Role, { page, left, right }: EndMemory, peer: Peer) {
    const server = role === 'server'
    this.#page = page
    this.#peer = peer
    this.#ownLive = server ? Page.serverLive : Page.clientLive
    this.#peerLive = server ? Page.clientLive : Page.serverLive
    this.#owed = server ? Page.serverNotify : Page.clientNotify
    this.#asked = server ? Page.clientNotify : Page.serverNotify
    const words = new Int32Array(page.buffer, page.byteOffset, Page.grants / 4)
    const { domid, path } = peer
    const leftRing = { bytes: left, words, prod: Page.leftProd / 4, cons: Page.leftCons / 4, domid, path }
    const rightRing = { bytes: right, words, prod: Page.rightProd / 4, cons: Page.rightCons / 4, domid, path }
    this.reader = new RingReader(server ? leftRing : rightRing)
    this.writer = new RingWriter(server ? rightRing : leftRing)
  }

  /**
   * Wants to be woken when the other end has moved an index. Whoever is going to sleep asks first and looks at the index
   * after that: the other end moves it first and looks for the bit after that, so one of the two sees the other.
   */
  ask(bit: number): void {
    Atomics.or(this.#page, this.#asked, bit)
  }

  /** Whether the other end wants to be woken, which is then done with. Only after the index has been moved. */
  owes(bit: number): boolean {
    if ((Atomics.load(this.#page, this.#owed) & bit) === 0) return false
    return (Atomics.and(this.#page, this.#owed, ~bit) & bit) !== 0
  }

  /**
   * Whether the other end has closed or died. Look at this before looking for its last bytes: those it has written by then
   * are there.
   * @throws GrantError ERR_GRANTS_PROTOCOL
   */
  peerGone(): boolean {
    const live = Atomics.load(this.#page, this.#peerLive)
    if (live === Live.connected) return false
    if (live === Live.gone) return true
    const { domid, path } = this.#peer
    const message = `domain ${domid} says of its end of the vchan at ${path} that it is ${live}`
    throw new GrantError('ERR_GRANTS_PROTOCOL', message, { domid, path })
  }

  /** Whether the page still says that this end is open. Otherwise it has been taken away, or the other end writes nonsense. */
  get intact(): boolean {
    return Atomics.load(this.#page, this.#ownLive) === Live.connected
  }

  /** Whether the page says that neither end is open: so it does when it has been given back, scrubbed. */
  get zeroed(): boolean {
    const [own, peer] = [this.#ownLive, this.#peerLive].map((place) => Atomics.load(this.#page, place))
    return own === Live.gone && peer === Live.gone
  }

  /** For the other end: nothing is read or written here any more. */
  markClosed(): void {
    Atomics.store(this.#page, this.#ownLive, Live.gone)
  }
}
