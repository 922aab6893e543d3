import { describe, expect, it } from 'vitest'
import {
  chooseOrders,
  NONCE_SIZE,
  Page,
  placeOfNonce,
  readLayout,
  writeLayout,
} from '../../src/vchan/layout.js'

const MAX = 20

function page(orders: { left: number; right: number }, refs: number[] = []): Uint8Array {
  const bytes = new Uint8Array(new SharedArrayBuffer(4096))
  writeLayout(bytes, orders, [1, ...refs], undefined)
  return bytes
}

describe('the rings of a vchan', () => {
  // What libxenvchan 4.17's server was seen to make.
  it.each([
    [1, 1, 10, 11],
    [1024, 2048, 10, 11],
    [2048, 1024, 11, 10],
    [1025, 1025, 11, 12],
    [2048, 2048, 11, 12],
    [2049, 1, 12, 11],
    [1, 2049, 11, 12],
    [4097, 100, 13, 11],
    [4096, 4096, 12, 12],
    [65536, 65536, 16, 16],
    [65537, 4096, 17, 12],
    [1 << 20, 1 << 20, 20, 20],
  ])('of %d and %d bytes are of order %d and %d, as libxenvchan makes them', (left, right, ...orders) => {
    expect(Object.values(chooseOrders(left, right))).toEqual(orders)
  })

  it('are found again by who maps the page', () => {
    const refs = Array.from({ length: 3 }, (_, i) => 100 + i)
    expect(readLayout(page({ left: 13, right: 12 }, refs), 7, 1, MAX)).toEqual({
      left: 13,
      right: 12,
      leftRefs: [100, 101],
      rightRefs: [102],
    })
  })

  it('begin as libxenvchan begins them, byte for byte', () => {
    const head = Buffer.from(page({ left: 12, right: 12 }, [9, 10]).slice(0, 32)).toString('hex')
    expect(head).toBe(`${'00'.repeat(16)}0c000c0002010100090000000a000000`)
  })

  it('leave room for a nonce, in every size that is made', () => {
    for (let left = 1; left <= 1 << 20; left *= 2)
      for (let right = 1; right <= 1 << 20; right *= 2) {
        const orders = chooseOrders(left, right)
        const place = placeOfNonce(orders)
        const inPage = [orders.left, orders.right].filter((order) => order < 12)
        const end = Math.min(4096, ...inPage.map((order) => 2 ** order))
        if (place !== undefined) expect(place + NONCE_SIZE).toBeLessThanOrEqual(end)
        expect(place, `orders ${orders.left} and ${orders.right}`).toBeDefined()
      }
  })
})

describe('a page that a client maps is refused', () => {
  const refusal = (bytes: Uint8Array, maxOrder = MAX) => expect(() => readLayout(bytes, 7, 1, maxOrder))
  const protocol = expect.objectContaining({ code: 'ERR_GRANTS_PROTOCOL', domid: 7, ref: 1 })

  it.each([
    [9, 12],
    [12, 21],
    [21, 12],
    [0, 0],
    [65535, 65535],
    [10, 10],
    [11, 11],
  ])('with rings of order %d and %d', (left, right) => {
    const bytes = page({ left: 12, right: 12 }, [9, 10])
    const view = new DataView(bytes.buffer)
    view.setUint16(Page.leftOrder, left, true)
    view.setUint16(Page.rightOrder, right, true)
    refusal(bytes).toThrow(protocol)
  })

  it('whose references reach into a ring: order 10 beside order 20', () => {
    refusal(
      page(
        { left: 10, right: 20 },
        Array.from({ length: 256 }, (_, i) => i + 2),
      ),
    ).toThrow(protocol)
  })

  it('with a ring larger than the caller allows', () => {
    const bytes = page({ left: 13, right: 12 }, [9, 10, 11])
    refusal(bytes, 12).toThrow(/maxRingBytes/)
    expect(readLayout(bytes, 7, 1, 13).left).toBe(13)
  })

  it.each([
    ['reference 0', [0, 10]],
    ['a reference twice', [9, 9]],
    ['the page itself', [1, 10]],
  ])('that names %s', (_, refs) => {
    refusal(page({ left: 12, right: 12 }, refs)).toThrow(protocol)
  })
})
