import { PAGE_SIZE } from '../abi.js'
import { GrantError } from '../errors.js'

/**
 * The shared page of a vchan, as of Xen's `public/io/libxenvchan.h`. Little-endian, as every machine is that Xen and Node run
 * on. `left` carries what the client writes, `right` what the server writes.
 */
export const Page = {
  /** u32 each. Only who writes an index moves it: the server left.cons and right.prod, the client the others. */
  leftCons: 0,
  leftProd: 4,
  rightCons: 8,
  rightProd: 12,
  /** u16 each: log2 of the bytes of a ring. */
  leftOrder: 16,
  rightOrder: 18,
  clientLive: 20,
  serverLive: 21,
  /** What the client has to signal: the server sets bits, the client clears them. The other byte the other way round. */
  clientNotify: 22,
  serverNotify: 23,
  /** u32[]: the pages of left, then those of right. */
  grants: 24,
} as const

/** Of a live byte. Only the client's is ever `waiting`: no client has come yet. */
export const Live = { gone: 0, connected: 1, waiting: 2 } as const

/** Bits of a notify byte: "signal me when you have written", "… when you have read". */
export const Notify = { written: 1, read: 2 } as const

/** Within the page, at 1024; within the page, at 2048; then pages of its own. The largest that libxenvchan maps. */
const SMALL_ORDER = 10
const LARGE_ORDER = 11
const PAGE_ORDER = 12
export const MAX_ORDER = 20

export interface Orders {
  left: number
  right: number
}

/**
 * The rings that libxenvchan's server makes: at least as large as asked for, and within the page where they fit.
 * @param left bytes, 1 to 2^20; likewise `right`
 */
export function chooseOrders(left: number, right: number): Orders {
  if (left <= 1024 && right <= 2048) return { left: SMALL_ORDER, right: LARGE_ORDER }
  if (left <= 2048 && right <= 1024) return { left: LARGE_ORDER, right: SMALL_ORDER }
  const leftOrder = left <= 2048 ? LARGE_ORDER : orderOf(left)
  const rightOrder = right <= 2048 && leftOrder !== LARGE_ORDER ? LARGE_ORDER : orderOf(right)
  return { left: leftOrder, right: rightOrder }
}

function orderOf(bytes: number): number {
  return Math.max(PAGE_ORDER, Math.ceil(Math.log2(bytes)))
}

/** Pages of its own that a ring has: none when it is within the shared page. */
export function pagesOf(order: number): number {
  return order < PAGE_ORDER ? 0 : 2 ** (order - PAGE_ORDER)
}

/** Where in the shared page a ring is, if it is there. */
export function placeInPage(order: number): number | undefined {
  return order < PAGE_ORDER ? 2 ** order : undefined
}

export interface Layout extends Orders {
  leftRefs: number[]
  rightRefs: number[]
}

/** A nonce goes after the references, where libxenvchan looks for nothing. */
export const NONCE_SIZE = 16

/** @returns where the nonce is, unless there is no room for it */
export function placeOfNonce({ left, right }: Orders): number | undefined {
  const at = endOfGrants(left, right)
  return at + NONCE_SIZE <= firstRing(left, right) ? at : undefined
}

/** A server's page before it is published. @param refs of all pages: this one, those of left, those of right */
export function writeLayout(
  page: Uint8Array,
  { left, right }: Orders,
  refs: ArrayLike<number>,
  nonce: Uint8Array | undefined,
): void {
  const view = new DataView(page.buffer, page.byteOffset, PAGE_SIZE)
  view.setUint16(Page.leftOrder, left, true)
  view.setUint16(Page.rightOrder, right, true)
  for (let i = 1; i < refs.length; i++) view.setUint32(Page.grants + 4 * (i - 1), refs[i]!, true)
  const at = placeOfNonce({ left, right })
  if (at !== undefined && nonce) page.set(nonce, at)
  page[Page.serverNotify] = 0
  page[Page.clientNotify] = Notify.written
  Atomics.store(page, Page.clientLive, Live.waiting)
  Atomics.store(page, Page.serverLive, Live.connected)
}

/**
 * What a server has published, read once: it may change at any time.
 *
 * @param ref of the page itself
 * @param maxOrder the largest ring to be mapped
 * @throws GrantError ERR_GRANTS_PROTOCOL
 */
export function readLayout(page: Uint8Array, domid: number, ref: number, maxOrder: number): Layout {
  const copy = page.slice(0, PAGE_SIZE)
  const view = new DataView(copy.buffer)
  const left = view.getUint16(Page.leftOrder, true)
  const right = view.getUint16(Page.rightOrder, true)
  const refuse = (what: string): never => {
    const rings = `left of order ${left}, right of order ${right}`
    throw new GrantError(
      'ERR_GRANTS_PROTOCOL',
      `the vchan of domain ${domid} at reference ${ref} ${what} (${rings})`,
      {
        domid,
        ref,
      },
    )
  }
  for (const order of [left, right]) {
    if (order < SMALL_ORDER || order > MAX_ORDER)
      refuse(`has a ring that is not of order ${SMALL_ORDER} to ${MAX_ORDER}`)
    if (order > maxOrder)
      refuse(`has a ring of more than the ${2 ** maxOrder} bytes that are allowed (maxRingBytes)`)
  }
  if (left === right && left < PAGE_ORDER) refuse('has two rings in one place')
  const end = endOfGrants(left, right)
  if (end > firstRing(left, right)) refuse('has its references where a ring is')
  const refs = Array.from({ length: (end - Page.grants) / 4 }, (_, i) =>
    view.getUint32(Page.grants + 4 * i, true),
  )
  if (refs.includes(0) || refs.includes(ref) || new Set(refs).size < refs.length)
    refuse('names references that cannot be the pages of its rings')
  return { left, right, leftRefs: refs.slice(0, pagesOf(left)), rightRefs: refs.slice(pagesOf(left)) }
}

function endOfGrants(left: number, right: number): number {
  return Page.grants + 4 * (pagesOf(left) + pagesOf(right))
}

function firstRing(left: number, right: number): number {
  return Math.min(placeInPage(left) ?? PAGE_SIZE, placeInPage(right) ?? PAGE_SIZE)
}
