import { expect, it } from 'vitest'
import { Lingering } from '../../src/memory/lingering.js'

const buffer = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes, { maxByteLength: bytes })

it('keeps the last few thousand buffers, and not twice as many', () => {
  const lingering = new Lingering()
  let most = 0
  for (let i = 0; i < 40_000; i++) {
    lingering.keep(new SharedArrayBuffer(0))
    most = Math.max(most, lingering.count)
    if (i >= 8192) expect(lingering.count).toBeGreaterThanOrEqual(8192)
  }
  expect(most).toBeLessThan(2 * 8192 + 1)
})

it('keeps no more than 128 MiB of address space, and nothing that is large', () => {
  const lingering = new Lingering()
  const size = 512 << 10
  for (let i = 0; i < 1000; i++) {
    lingering.keep(buffer(size))
    expect(lingering.count * size).toBeLessThanOrEqual(128 << 20)
  }
  const { count } = lingering
  lingering.keep(buffer(2 << 20))
  expect(lingering.count).toBe(count)
})
