import { describe, expect, it } from 'vitest'
import { expectZero, makeKernel, PAGE } from './support.js'

describe('allocate', () => {
  it('counts indexes in bytes from 0, per file, and never reuses one', () => {
    const { kernel } = makeKernel()
    const session = kernel.startSession()
    const one = kernel.open(session)
    const other = kernel.open(session)
    expect(kernel.allocate(session, one, 7, 0, 3).index).toBe(0)
    expect(kernel.allocate(session, one, 7, 0, 1).index).toBe(3 * PAGE)
    expect(kernel.allocate(session, other, 7, 0, 1).index).toBe(0)
    kernel.deallocate(session, one, 0, 4)
    expect(kernel.allocate(session, one, 7, 0, 1).index).toBe(4 * PAGE)
    kernel.endSession(session)
    expectZero(kernel)
  })

  it('gives references from 8 on, then those freed last first, never 0', () => {
    const { kernel } = makeKernel()
    const session = kernel.startSession()
    const file = kernel.open(session)
    expect([...kernel.allocate(session, file, 7, 0, 4).refs]).toEqual([8, 9, 10, 11])
    kernel.deallocate(session, file, PAGE, 2)
    expect([...kernel.allocate(session, file, 7, 0, 3).refs]).toEqual([10, 9, 12])
    kernel.endSession(session)
    expectZero(kernel)
  })

  it('shares one limit between all files of all sessions, and keeps the index when it refuses', () => {
    const { kernel } = makeKernel({ limit: 5 })
    const [one, other] = [kernel.startSession(), kernel.startSession()]
    const [first, second] = [kernel.open(one), kernel.open(other)]
    kernel.allocate(one, first, 7, 0, 3)
    for (const count of [3, 6]) {
      expect(() => kernel.allocate(other, second, 7, 0, count)).toThrow(
        expect.objectContaining({ code: 'ENOSPC', errno: -28, syscall: 'ioctl', domid: 7, pages: count }),
      )
    }
    expect(kernel.allocate(other, second, 7, 0, 2).index).toBe(0)
    kernel.endSession(one)
    expect(kernel.allocate(other, second, 7, 0, 3).index).toBe(2 * PAGE)
    kernel.endSession(other)
    expectZero(kernel)
  })

  it('refuses more references than the kernel can put into one array', () => {
    const { kernel } = makeKernel({ limit: -1 })
    const session = kernel.startSession()
    const file = kernel.open(session)
    expect(() => kernel.allocate(session, file, 7, 0, 2 ** 20 + 1)).toThrow(
      expect.objectContaining({ code: 'ENOMEM' }),
    )
    kernel.endSession(session)
    expectZero(kernel)
  })

  it('consumes the index when the grant table is full, and grants nothing', () => {
    const { kernel } = makeKernel({ tableCapacity: 12 })
    const session = kernel.startSession()
    const file = kernel.open(session)
    kernel.allocate(session, file, 7, 0, 2)
    expect(() => kernel.allocate(session, file, 7, 0, 3)).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
    expect(kernel.counters()).toMatchObject({ grants: 2, pages: 2, tableUsed: 2 })
    expect(kernel.allocate(session, file, 7, 0, 2).index).toBe(5 * PAGE)
    kernel.endSession(session)
    expectZero(kernel)
  })

  it('consumes the index when memory is short, and counts wrongly then too', () => {
    for (const driverBugs of [false, true]) {
      const { kernel, memory } = makeKernel({ driverBugs, memoryPages: 3 })
      const session = kernel.startSession()
      const file = kernel.open(session)
      kernel.allocate(session, file, 7, 0, 2)
      expect(() => kernel.allocate(session, file, 7, 0, 2)).toThrow(
        expect.objectContaining({ code: 'ENOMEM' }),
      )
      expect(kernel.counters()).toMatchObject({ grants: 2, tableUsed: 2, pages: driverBugs ? 1 : 2 })
      expect(memory).toEqual(['discard 2x2'])
      expect(kernel.allocate(session, file, 7, 0, 1).index).toBe(4 * PAGE)
      kernel.endSession(session)
      expect(kernel.counters()).toMatchObject({ grants: 0, tableUsed: 0, pages: driverBugs ? -1 : 0 })
    }
  })

  it('tells the three kinds of ENOSPC apart by an allocation of no pages', () => {
    const { kernel } = makeKernel({ limit: 6, tableCapacity: 12 })
    const session = kernel.startSession()
    const file = kernel.open(session)
    const probe = () => kernel.allocate(session, file, 7, 0, 0).index
    kernel.allocate(session, file, 7, 0, 3)
    expect(probe()).toBe(3 * PAGE)
    expect(() => kernel.allocate(session, file, 7, 0, 4)).toThrow()
    expect(probe(), 'limit: nothing consumed').toBe(3 * PAGE)
    expect(() => kernel.allocate(session, file, 7, 0, 2)).toThrow()
    expect(probe(), 'grant table: index consumed').toBe(5 * PAGE)
    kernel.setLimit(2)
    expect(probe, 'limit below use').toThrow(expect.objectContaining({ code: 'ENOSPC' }))
    kernel.endSession(session)
    expectZero(kernel)
  })
})

describe("the driver's counting bug", () => {
  const wedged = { code: 'ENOSPC' }

  it('wedges everything for good when nothing else is allocated', () => {
    const { kernel } = makeKernel({ limit: 1000, driverBugs: true })
    const session = kernel.startSession()
    const file = kernel.open(session)
    expect(() => kernel.allocate(session, file, 7, 0, 200)).toThrow(expect.objectContaining(wedged))
    expect(kernel.counters()).toMatchObject({ pages: -1, grants: 0 })
    for (const limit of [1000, 2 ** 31 - 1, -1]) {
      kernel.setLimit(limit)
      const fresh = kernel.open(session)
      expect(() => kernel.allocate(session, fresh, 7, 0, 1)).toThrow(expect.objectContaining(wedged))
    }
    kernel.setLimit(1000)
    expect(() => kernel.allocate(session, file, 7, 0, 0)).toThrow(expect.objectContaining(wedged))
    kernel.endSession(session)
    expect(kernel.counters()).toMatchObject({ pages: -1, grants: 0, tableUsed: 0 })
  })

  it('lets the limit drift while other pages are allocated, and wedges when they go', () => {
    const { kernel } = makeKernel({ limit: 50, tableCapacity: 20, driverBugs: true })
    const session = kernel.startSession()
    const file = kernel.open(session)
    kernel.allocate(session, file, 7, 0, 3)
    for (let failure = 0; failure < 2; failure++)
      expect(() => kernel.allocate(session, file, 7, 0, 40)).toThrow(expect.objectContaining(wedged))
    kernel.setLimit(5)
    kernel.allocate(session, file, 7, 0, 4)
    expect(kernel.counters()).toMatchObject({ grants: 7, pages: 5 })
    kernel.deallocate(session, file, 83 * PAGE, 4)
    kernel.deallocate(session, file, 0, 2)
    expect(kernel.counters()).toMatchObject({ grants: 1, pages: -1 })
    expect(() => kernel.allocate(session, file, 7, 0, 0)).toThrow(expect.objectContaining(wedged))
    kernel.endSession(session)
    expect(kernel.counters()).toMatchObject({ grants: 0, pages: -2, tableUsed: 0 })
  })
})
