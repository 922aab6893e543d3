import { describe, expect, it } from 'vitest'
import { FrameAllocator, runsOf } from '../../src/simulated/kernel/frames.js'

describe('page frames', () => {
  const setUp = (total: number) => {
    const discarded: number[][] = []
    const memory = {
      reserve: () => true,
      clearByte: () => {},
      discard: (first: number, count: number) => discarded.push([first, count]),
    }
    return { frames: new FrameAllocator(total, memory), discarded }
  }

  it('come as one run, first fit', () => {
    const { frames } = setUp(20)
    frames.allocate(10)
    frames.release([2, 3, 6, 7, 8])
    expect([...frames.allocate(3)!]).toEqual([6, 7, 8])
    expect([...frames.allocate(1)!]).toEqual([2])
    expect([...frames.allocate(2)!]).toEqual([10, 11])
  })

  it('come in pieces when no run is long enough, and every one once', () => {
    const { frames } = setUp(10)
    frames.allocate(10)
    frames.release([9, 0, 4, 5])
    expect([...frames.allocate(4)!]).toEqual([0, 4, 5, 9])
    expect(() => frames.allocate(1)).toThrow('More pages')
  })

  it('lose their contents when released, in runs, and join with their neighbours', () => {
    const { frames, discarded } = setUp(10)
    frames.allocate(10)
    frames.release([5, 3, 1])
    frames.release([4, 2])
    expect(discarded).toEqual([
      [1, 1],
      [3, 1],
      [5, 1],
      [2, 1],
      [4, 1],
    ])
    expect([...runsOf(frames.allocate(5)!)]).toEqual([{ first: 1, count: 5 }])
  })
})
