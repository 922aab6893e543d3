import { describe, expect, it } from 'vitest'
import { getOffset, setOffset } from '../../src/drivers/file-offset.js'

describe('an offset of 64 bits in a struct', () => {
  it.each([0, 1, 4096, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 4096, 2 ** 47 - 1, 2 ** 53 - 1])(
    '%s is what the kernel reads',
    (offset) => {
      const struct = new DataView(new ArrayBuffer(24))
      setOffset(struct, 8, offset)
      expect(struct.getBigUint64(8, true)).toBe(BigInt(offset))
      expect([struct.getBigUint64(0), struct.getBigUint64(16)]).toEqual([0n, 0n])
      expect(getOffset(struct, 8)).toBe(offset)
    },
  )

  it('that is too large for a number is no safe integer', () => {
    const struct = new DataView(new ArrayBuffer(8))
    for (const offset of [2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
      struct.setBigUint64(0, offset, true)
      expect(Number.isSafeInteger(getOffset(struct, 0))).toBe(false)
    }
  })
})
