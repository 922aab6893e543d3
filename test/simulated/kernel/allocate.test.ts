import { describe, expect, it } from 'vitest'
import { expectZero, makeKernel, PAGE } from '../support.js'

describe('allocate', () => {
  it('gives references from 8 on, then those freed last first, never 0', () => {
    const { kernel } = makeKernel()
    const session = kernel.startSession()
    const file = kernel.gntalloc.open(session, 0)
    expect([...kernel.gntalloc.allocate(session, file, 7, 0, 4).refs]).toEqual([8, 9, 10, 11])
    kernel.gntalloc.deallocate(session, file, PAGE, 2)
    expect([...kernel.gntalloc.allocate(session, file, 7, 0, 3).refs]).toEqual([10, 9, 12])
    kernel.endSession(session)
    expectZero(kernel)
  })

  it('refuses more references than the kernel can put into one array', () => {
    const { kernel } = makeKernel({ limit: -1 })
    const session = kernel.startSession()
    const file = kernel.gntalloc.open(session, 0)
    expect(() => kernel.gntalloc.allocate(session, file, 7, 0, 2 ** 20 + 1)).toThrow(
      expect.objectContaining({ code: 'ENOMEM' }),
    )
    kernel.endSession(session)
    expectZero(kernel)
  })

  it('consumes the index when the grant table is full, and grants nothing', () => {
    const { kernel } = makeKernel({ tableCapacity: 12 })
    const session = kernel.startSession()
    const file = kernel.gntalloc.open(session, 0)
    kernel.gntalloc.allocate(session, file, 7, 0, 2)
    expect(() => kernel.gntalloc.allocate(session, file, 7, 0, 3)).toThrow(
      expect.objectContaining({ code: 'ENOSPC' }),
    )
    expect(kernel.counters()).toMatchObject({ grants: 2, pages: 2, tableUsed: 2 })
    expect(kernel.gntalloc.allocate(session, file, 7, 0, 2).index).toBe(5 * PAGE)
    kernel.endSession(session)
    expectZero(kernel)
  })

  it('consumes the index when memory is short, and counts wrongly then too', () => {
    for (const driverBugs of [false, true]) {
      const { kernel, memory } = makeKernel({ driverBugs, memoryPages: 3 })
      const session = kernel.startSession()
      const file = kernel.gntalloc.open(session, 0)
      kernel.gntalloc.allocate(session, file, 7, 0, 2)
      expect(() => kernel.gntalloc.allocate(session, file, 7, 0, 2)).toThrow(
        expect.objectContaining({ code: 'ENOMEM' }),
      )
      expect(kernel.counters()).toMatchObject({ grants: 2, tableUsed: 2, pages: driverBugs ? 1 : 2 })
      expect(memory).toEqual(['discard 2x2'])
      expect(kernel.gntalloc.allocate(session, file, 7, 0, 1).index).toBe(4 * PAGE)
      kernel.endSession(session)
      expect(kernel.counters()).toMatchObject({ grants: 0, tableUsed: 0, pages: driverBugs ? -1 : 0 })
    }
  })
})
