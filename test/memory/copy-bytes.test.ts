import { describe, expect, it } from 'vitest'
import { copyInto, fillByte, zero } from '../../src/memory/copy-bytes.js'

const MANY = 30_000
const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 31) % 251)
const shared = (bytes: Uint8Array): Uint8Array => {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length + 20), 10, bytes.length)
  copy.set(bytes)
  return copy
}
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

describe('copying into shared memory', () => {
  it.each([0, 1, 8191, 8192, 8193, MANY])(
    'puts %i bytes where they belong, and touches no other',
    (length) => {
      const source = pattern(length)
      for (const at of [0, 5]) {
        const target = shared(new Uint8Array(length + 10).fill(7))
        copyInto(target, source, at)
        expect(same(target.subarray(at, at + length), source)).toBe(true)
        expect([...target.subarray(0, at), ...target.subarray(at + length)].every((byte) => byte === 7)).toBe(
          true,
        )
        const all = new Uint8Array(target.buffer)
        expect([...all.subarray(0, 10), ...all.subarray(length + 20)].every((byte) => byte === 0)).toBe(true)
      }
    },
  )

  it('moves what overlaps, in both directions', () => {
    for (const [from, to] of [
      [0, 5000],
      [5000, 0],
    ] as const) {
      const bytes = shared(pattern(MANY))
      copyInto(bytes, bytes.subarray(from, from + 20_000), to)
      const expected = pattern(MANY).slice()
      expected.copyWithin(to, from, from + 20_000)
      expect(same(bytes, expected)).toBe(true)
    }
  })

  it.each([10, MANY])('refuses what does not fit, %i bytes of it', (length) => {
    const target = shared(new Uint8Array(length))
    expect(() => copyInto(target, pattern(length), 1)).toThrow(RangeError)
    expect(target.every((byte) => byte === 0)).toBe(true)
  })
})

describe('setting shared memory', () => {
  it.each([0, 1, 4095, 4096, 4097, 65_535, 65_536, 65_537, MANY])('sets %i bytes, and no other', (length) => {
    for (const byte of [0, 9]) {
      const all = shared(pattern(length + 2))
      const part = all.subarray(1, length + 1)
      if (byte === 0) zero(part)
      else fillByte(part, byte)
      expect(part.every((one) => one === byte)).toBe(true)
      expect([all[0], all[length + 1]]).toEqual([0, ((length + 1) * 31) % 251])
    }
  })
})
