// What is sent to the worker for a copy, and what comes back from it.
import { describe, expect, it } from 'vitest'
import type { CopySide } from '../../src/drivers/gntdev/map-device.js'
import { checkSegments } from '../../src/mapping/copy.js'

const grant = { domid: 3, ref: 8 }
const OKAY = Int16Array.of(0, 0, 0)

/** The bytes of a local side of a segment. */
function local(side: CopySide, length: number): Uint8Array {
  if (!('buffer' in side)) throw new Error('a grant')
  return new Uint8Array(side.buffer, side.offset, length)
}

describe('a copy from memory', () => {
  it('takes what is there when it is called, from ordinary memory', () => {
    const bytes = Uint8Array.of(0, 1, 2, 3)
    const { segments } = checkSegments([{ source: bytes.subarray(1), target: grant }])
    bytes.fill(9)
    expect(segments).toMatchObject([{ target: { ...grant, offset: 0 }, length: 3 }])
    expect([...local(segments[0]!.source, 3)]).toEqual([1, 2, 3])
  })

  it('reads shared memory where it is', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(20), 5, 10)
    const { segments } = checkSegments([{ source: shared, target: grant, length: 4 }])
    expect(segments[0]!.source).toEqual({ buffer: shared.buffer, offset: 5 })
  })
})

describe('a copy to memory', () => {
  it('brings each piece to its place, and leaves alone what has failed', () => {
    const bytes = new Uint8Array(9).fill(7)
    const { segments, deliver } = checkSegments([
      { source: grant, target: bytes.subarray(1, 3) },
      { source: grant, target: bytes.subarray(3, 6) },
      { source: grant, target: bytes.subarray(6), length: 2 },
    ])
    for (const [i, { target, length }] of segments.entries()) local(target, length).fill(i + 1)
    deliver(Int16Array.of(0, -1, 0))
    expect([...bytes]).toEqual([7, 1, 1, 7, 7, 7, 3, 3, 7])
  })

  it('leaves alone what has been detached or shrunk meanwhile, and brings the rest', () => {
    const [detached, whole] = [new Uint8Array(4), new Uint8Array(4)]
    const resizable = Reflect.construct(ArrayBuffer, [4, { maxByteLength: 8 }]) as ArrayBuffer
    const shrunk = new Uint8Array(resizable)
    const targets = [detached, shrunk, whole]
    const { segments, deliver } = checkSegments(targets.map((target) => ({ source: grant, target })))
    for (const { target, length } of segments) local(target, length).fill(5)
    structuredClone(detached.buffer, { transfer: [detached.buffer] })
    ;(resizable as ArrayBuffer & { resize(length: number): void }).resize(2)
    deliver(OKAY)
    expect([detached.length, [...shrunk], [...whole]]).toEqual([0, [0, 0], [5, 5, 5, 5]])
  })
})

describe('a segment', () => {
  it('between two grants needs a length, and ends with its page', () => {
    const both = (offset: number, length?: number) => () =>
      checkSegments([{ source: { ...grant, offset }, target: grant, ...(length && { length }) }])
    expect(both(4095, 1)().segments).toHaveLength(1)
    expect(both(0, 4096)().segments).toHaveLength(1)
    expect(both(1, 4096)).toThrow(RangeError)
    expect(both(0, 4097)).toThrow(RangeError)
    expect(both(0)).toThrow(TypeError)
  })
})
