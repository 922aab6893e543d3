import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { mapZeroPages, mmap, munmap } from '../../dist/src/device/libc.js'
import { detach, viewOf } from '../../dist/src/memory/view.js'

const PAGE = 4096

function map(pages: number): number {
  return mmap({ length: pages * PAGE, prot: 3, flags: 0x22, what: 'test memory' })
}

describe('viewOf', () => {
  it('gives views of the memory itself', () => {
    const address = map(2)
    const [one, other] = [viewOf(address, 2 * PAGE), viewOf(address + PAGE, PAGE)]
    one[PAGE + 3] = 7
    expect(other[3]).toBe(7)
    mapZeroPages(address, 2 * PAGE)
    expect(other[3]).toBe(0)
    detach(one)
    detach(other)
    munmap(address, 2 * PAGE)
  })

  it.each([
    [0, PAGE],
    [-PAGE, PAGE],
    [PAGE + 1, PAGE],
    [2 ** 47, PAGE],
    [2 ** 53, PAGE],
    [PAGE, 0],
    [PAGE, -1],
    [PAGE, 1.5],
    [PAGE, 2 ** 47],
    [2 ** 47 - PAGE, PAGE + 1],
    [Number.NaN, PAGE],
  ])('refuses %d, %d before it can end the process', (address, length) => {
    expect(() => viewOf(address, length)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }))
  })

  it('refuses what is no number', () => {
    expect(() => viewOf(4096n as never, PAGE)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    )
  })
})

describe('detach', () => {
  it('empties all views of the buffer at once, and leaves the memory alone', () => {
    const address = map(1)
    const bytes = viewOf(address, PAGE)
    const other = viewOf(address, PAGE)
    const views = [bytes, bytes.subarray(5), new Uint32Array(bytes.buffer), Buffer.from(bytes.buffer)]
    bytes[0] = 1
    detach(bytes)
    expect(views.map((view) => view.length)).toEqual([0, 0, 0, 0])
    expect(bytes[0]).toBeUndefined()
    bytes[0] = 2
    expect(other[0]).toBe(1)
    detach(bytes)
    detach(other)
    munmap(address, PAGE)
  })

  it('works where ArrayBuffer cannot be transferred, too', () => {
    const program = `
      delete ArrayBuffer.prototype.transfer
      const { detach } = await import('./dist/src/memory/view.js')
      const bytes = new Uint8Array(100)
      const part = bytes.subarray(50)
      detach(part)
      console.log(bytes.length, part.length)`
    const args = ['--input-type=module', '--eval', program]
    expect(execFileSync(process.execPath, args, { encoding: 'utf8' })).toBe('0 0\n')
  })
})
