// What the mapping worker is asked, as numbers. Whatever arrives there is checked.
import { describe, expect, it } from 'vitest'
import { decodeMap, encodeMap, MapFlag, type MapRequest } from '../../src/mapping/map-message.js'

const PAGE = 4096

const request = (pages: number, rest: Partial<MapRequest> = {}): MapRequest => ({
  names: Uint32Array.from(Array.from({ length: pages }, (_, i) => [3, 8 + i]).flat()),
  writable: false,
  notify: undefined,
  status: undefined,
  ...rest,
})
const notify = { offset: PAGE - 1, action: 3, port: 0xffff_ffff }
const status = { domid: 0xffff, ref: 0xffff_ffff, offset: PAGE - 2, port: 0 }
const refused = expect.objectContaining({ code: 'ERR_GRANTS_PROTOCOL' })

describe('a map on its way to the worker', () => {
  it.each([
    ['a page', request(1)],
    ['a page, writable', request(1, { writable: true })],
    ['a notification', request(1, { notify })],
    ['a status page', request(1, { status })],
    ['all of it, with many pages', request(1000, { writable: true, notify, status })],
    ['the largest numbers', request(1, { names: Uint32Array.of(0xffff, 0xffff_ffff) })],
  ])('arrives as it was sent: %s', (_name, sent) => {
    expect(decodeMap(structuredClone(encodeMap(sent)))).toEqual(sent)
  })

  it('is numbers when it is short, and one array of them when it is long', () => {
    expect(encodeMap(request(1))).toEqual([0, 3, 8])
    expect(encodeMap(request(9))).toEqual([0, expect.any(Uint32Array)])
  })

  const with3 = [MapFlag.notify, 0, 0, 0]
  const with4 = [MapFlag.status, 3, 9, 0, 0]
  it.each<[string, unknown[]]>([
    ['nothing', []],
    ['no names', [0]],
    ['half a name', [0, 3]],
    ['a name and a half', [0, 3, 8, 3]],
    ['flags that there are not', [8, 3, 8]],
    ['flags that are none', ['1', 3, 8]],
    ['flags that are no number', [Number.NaN, 3, 8]],
    ['a domain that there is not', [0, 0x1_0000, 8]],
    ['a negative domain', [0, -1, 8]],
    ['reference 0', [0, 3, 0]],
    ['a negative reference', [0, 3, -8]],
    ['a reference too large', [0, 3, 2 ** 32]],
    ['half a reference', [0, 3, 8.5]],
    ['a reference that is no number', [0, 3, Number.NaN]],
    ['a bad name behind a good one', [0, 3, 8, 3, 0]],
    ['an empty array of names', [0, new Uint32Array()]],
    ['an array of half a name', [0, Uint32Array.of(3)]],
    ['an array with reference 0', [0, Uint32Array.of(3, 8, 3, 0)]],
    ['an array with a domain that there is not', [0, Uint32Array.of(0x1_0000, 8)]],
    ['an array of another kind', [0, Float64Array.of(3, 8)]],
    ['too many names', [0, new Uint32Array(2 * (2 ** 20 + 1)).fill(1)]],
    ['a notification without its numbers', [MapFlag.notify, 3, 8]],
    ['a notification of a byte outside', [MapFlag.notify, PAGE, 1, 0, 3, 8]],
    ['a notification of no action there is', [MapFlag.notify, 0, 4, 0, 3, 8]],
    ['a notification of no port there is', [MapFlag.notify, 0, 1, 2 ** 32, 3, 8]],
    ['a notification alone', with3],
    ['a status alone', with4],
    ['a status with reference 0', [MapFlag.status, 3, 0, 0, 0, 3, 8]],
    ['a status across the end of its page', [MapFlag.status, 3, 9, PAGE - 1, 0, 3, 8]],
    ['a status with a negative port', [MapFlag.status, 3, 9, 0, -1, 3, 8]],
  ])('is refused with %s', (_name, message) => {
    expect(() => decodeMap(message)).toThrow(refused)
  })

  it('is not what is shared with its sender, who could change it', () => {
    const shared = new Uint32Array(new SharedArrayBuffer(8))
    shared.set([3, 8])
    const { names } = decodeMap([0, shared])
    shared[1] = 0
    expect([...names]).toEqual([3, 8])
  })
})
