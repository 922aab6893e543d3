import { describe, expect, it } from 'vitest'
import { runsOf } from '../../../src/simulated/kernel/frame-runs.js'
import { FramePool } from '../../../src/simulated/kernel/frames.js'

describe('page frames', () => {
  const setUp = (step: number) => {
    const discarded: number[][] = []
    const memory = {
      reserve: () => true,
      clearByte: () => {},
      discard: (first: number, count: number) => discarded.push([first, count]),
      read: () => new Uint8Array(),
      write: () => {},
    }
    return { frames: new FramePool(step, memory), discarded }
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
  })

  it('grow in number when none are left, by the step or by what is missing', () => {
    const { frames } = setUp(4)
    frames.allocate(4)
    frames.release([2])
    expect([...frames.allocate(3)!]).toEqual([4, 5, 6])
    expect([...frames.allocate(8)!], 'what is free counts').toEqual([2, 7, 8, 9, 10, 11, 12, 13])
    expect(frames.allocate(2 ** 32), 'a frame number is 32 bits').toBeUndefined()
  })

  it('that somebody holds come back when the last one lets go', () => {
    const { frames, discarded } = setUp(4)
    frames.allocate(4)
    frames.hold([1, 2])
    frames.hold([2])
    frames.release([0, 1, 2])
    expect(discarded).toEqual([[0, 1]])
    frames.letGo([1, 2])
    expect(discarded).toEqual([
      [0, 1],
      [1, 1],
    ])
    frames.letGo([2])
    expect(discarded.at(-1)).toEqual([2, 1])
    frames.hold([3])
    frames.letGo([3])
    expect(discarded.length, 'it is still allocated').toBe(3)
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

  it('that have come back in pieces serve an allocation as one run, before any that lies behind', () => {
    for (const pieces of [
      [[1, 3], [2]],
      [[1], [2], [3]],
      [[3], [2], [1]],
      [[2], [1, 3]],
    ]) {
      const { frames } = setUp(10)
      frames.allocate(5)
      for (const piece of pieces) frames.release(piece)
      expect([...frames.allocate(3)!], JSON.stringify(pieces)).toEqual([1, 2, 3])
      expect([...frames.allocate(1)!]).toEqual([5])
    }
  })

  it('that cannot be reserved are free as before', () => {
    let refuse = true
    const memory = {
      reserve: (first: number) => !(refuse && first > 2),
      clearByte: () => {},
      discard: () => {},
      read: () => new Uint8Array(),
      write: () => {},
    }
    const frames = new FramePool(10, memory)
    expect([...frames.allocate(3)!]).toEqual([0, 1, 2])
    expect(frames.allocate(2)).toBeUndefined()
    refuse = false
    expect([...frames.allocate(7)!]).toEqual([3, 4, 5, 6, 7, 8, 9])
  })
})
