import type { EventChannel, Xen } from 'xen-grants'
import { Live, Notify, type Orders, Page, pagesOf, placeInPage, writeLayout } from '../../src/vchan/layout.js'
import { BASE, CLIENT, PATH, SERVER } from './shared-ends.js'

export type Role = 'server' | 'client'

interface Rings {
  page: Uint8Array
  left: Uint8Array
  right: Uint8Array
}

/** The other end of a vchan, by hand: it writes what it likes to the page. */
export class RawPeer {
  /** Of its page, if it is the server. */
  ref: number | undefined
  readonly page: Uint8Array
  readonly channel: EventChannel
  /** What it fills, and what it empties. */
  readonly out: Uint8Array
  readonly in: Uint8Array
  /** Among the words of the page: its own, then those of the real end. */
  readonly prod: number
  readonly cons: number
  readonly theirProd: number
  readonly theirCons: number
  /** Among the bytes of the page. */
  readonly live: number
  readonly theirLive: number
  /** What it has to signal, and what the real end has to. */
  readonly owed: number
  readonly asked: number
  readonly #words: Uint32Array
  readonly #close: () => Promise<void>
  #closed: Promise<void> | undefined

  constructor(role: Role, rings: Rings, channel: EventChannel, close: () => Promise<void>) {
    const { page, left, right } = rings
    const server = role === 'server'
    this.page = page
    this.channel = channel
    this.#words = new Uint32Array(page.buffer, page.byteOffset, 6)
    this.out = server ? right : left
    this.in = server ? left : right
    const [leftCons, leftProd, rightCons, rightProd] = [0, 1, 2, 3] as const
    ;[this.prod, this.theirCons] = server ? [rightProd, rightCons] : [leftProd, leftCons]
    ;[this.cons, this.theirProd] = server ? [leftCons, leftProd] : [rightCons, rightProd]
    this.live = server ? Page.serverLive : Page.clientLive
    this.theirLive = server ? Page.clientLive : Page.serverLive
    this.owed = server ? Page.serverNotify : Page.clientNotify
    this.asked = server ? Page.clientNotify : Page.serverNotify
    this.#close = close
  }

  /** Sets an index, and tells. */
  set(word: number, value: number): void {
    Atomics.store(this.#words, word, value)
    this.channel.notify()
  }

  get(word: number): number {
    return Atomics.load(this.#words, word)
  }

  /** Sets a byte of the page, and tells. */
  poke(at: number, value: number): void {
    Atomics.store(this.page, at, value)
    this.channel.notify()
  }

  /** As a good end does, but always tells. */
  write(text: string): void {
    const prod = this.get(this.prod)
    for (const [i, byte] of Buffer.from(text).entries()) this.out[(prod + i) % this.out.length] = byte
    this.set(this.prod, (prod + text.length) >>> 0)
  }

  /** Takes what is there, and tells. */
  read(most = Number.POSITIVE_INFINITY): string {
    const cons = this.get(this.cons)
    const count = Math.min(most, (this.get(this.theirProd) - cons) >>> 0)
    const bytes = Buffer.from(Array.from({ length: count }, (_, i) => this.in[(cons + i) % this.in.length]!))
    if (count > 0) this.set(this.cons, (cons + count) >>> 0)
    return bytes.toString()
  }

  /** Takes what comes until so many bytes are there. */
  async readAll(count: number): Promise<string> {
    let all = ''
    while (all.length < count) {
      this.poke(this.asked, Notify.written | Notify.read)
      const more = this.read()
      all += more
      if (more === '') await this.channel.wait()
    }
    return all
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }
}

export interface RawServerOptions {
  orders?: Orders
  /** Of the page before the keys are there. */
  change?: (page: Uint8Array, refs: Uint32Array) => void
  /** In place of what is right. */
  keys?: (keys: { ref: number; port: number }) => Record<string, string>
  writable?: boolean
}

/** Offers pages that look like a vchan, or do not. */
export async function rawServer(xen: Xen, options: RawServerOptions = {}): Promise<RawPeer> {
  const { orders = { left: 12, right: 12 }, change, keys, writable = true } = options
  const [store, events, grants] = await Promise.all([xen.store(), xen.events(), xen.grants()])
  const channel = await events.bindUnbound(CLIENT)
  const pages = 1 + pagesOf(orders.left) + pagesOf(orders.right)
  const control = await grants.share({ domid: CLIENT, pages: 1, writable: true })
  const rings = await grants.share({ domid: CLIENT, pages: Math.max(1, pages - 1), writable })
  const refs = Uint32Array.of(...control.refs, ...(pages > 1 ? rings.refs : []))
  const page = control.bytes
  writeLayout(page, orders, refs, undefined)
  change?.(page, refs)
  const right = { ref: refs[0]!, port: channel.port }
  await writeKeys(
    xen,
    keys?.(right) ?? { 'ring-ref': String(right.ref), 'event-channel': String(right.port) },
  )
  const own = (order: number, at: number): Uint8Array => {
    const place = placeInPage(order)
    return place === undefined
      ? rings.bytes.subarray(at, at + 2 ** order)
      : page.subarray(place, place + 2 ** order)
  }
  const memory = { page, left: own(orders.left, 0), right: own(orders.right, 4096 * pagesOf(orders.left)) }
  const peer = new RawPeer('server', memory, channel, async () => {
    if (control.bytes.length > 0) page[Page.serverLive] = Live.gone
    await Promise.allSettled([control.unshare(), rings.unshare(), channel.close()])
    await store.remove(PATH).catch(() => {})
  })
  peer.ref = right.ref
  return peer
}

/** At once, so that a client sees all or none. */
export async function writeKeys(xen: Xen, keys: Record<string, string | Uint8Array>): Promise<void> {
  const store = await xen.store()
  await store.transaction(async (t) => {
    for (const [name, value] of Object.entries(keys)) {
      await t.write(`${BASE}/${name}`, value)
      await t.setPermissions(`${BASE}/${name}`, [
        { domid: SERVER, access: 'none' },
        { domid: CLIENT, access: 'read' },
      ])
    }
  })
}

/** Connects to what the real server offers. @param change before it says that it is there */
export async function rawClient(xen: Xen, change?: (peer: RawPeer) => void, greets = true): Promise<RawPeer> {
  const [store, events, mapper] = await Promise.all([xen.store(), xen.events(), xen.mapper()])
  await store.waitFor(`${BASE}/event-channel`, (value) => value !== undefined)
  const port = await store.readInt(`${BASE}/event-channel`)
  const ref = await store.readInt(`${BASE}/ring-ref`)
  const channel = await events.bindInterdomain(SERVER, port)
  const map = (refs: Uint32Array) => mapper.map({ domid: SERVER, refs, writable: true })
  const control = await map(Uint32Array.of(ref))
  const page = control.bytes
  const view = new DataView(page.buffer)
  const [left, right] = [view.getUint16(Page.leftOrder, true), view.getUint16(Page.rightOrder, true)]
  const refs = new Uint32Array(page.buffer, Page.grants, pagesOf(left) + pagesOf(right)).slice()
  const rings = await map(refs)
  await control.setUnmapNotify({ clearByte: Page.clientLive, port: channel.port })
  const size = 2 ** left
  const memory = { page, left: rings.bytes.subarray(0, size), right: rings.bytes.subarray(size) }
  const peer = new RawPeer('client', memory, channel, async () => {
    await rings.unmap()
    await control.unmap()
    await channel.close()
  })
  change?.(peer)
  if (!greets) return peer
  Atomics.store(page, Page.serverNotify, Notify.written)
  peer.poke(Page.clientLive, Live.connected)
  return peer
}
