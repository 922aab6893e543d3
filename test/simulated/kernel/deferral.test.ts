import { describe, expect, it } from 'vitest'
import { expectZero, makeKernel, PAGE, pairs, WRITABLE } from '../support.js'

function setUp(options: Parameters<typeof makeKernel>[0] = {}) {
  const { kernel, memory } = makeKernel(options)
  const session = kernel.startSession()
  return { kernel, memory, session, file: kernel.gntalloc.open(session, 0), peer: kernel.startSession() }
}

describe('mapping by a peer', () => {
  const refused = expect.objectContaining({ code: 'EINVAL', errno: -22 })

  it('is all or nothing', () => {
    const { kernel, session, file, peer } = setUp()
    const { refs } = kernel.gntalloc.allocate(session, file, 7, WRITABLE, 2)
    const [first, second] = [...refs] as [number, number]
    const wrong = { 'reference 0': [first, 0], 'never granted': [first, second, 50], none: [] }
    for (const [what, list] of Object.entries(wrong))
      expect(() => kernel.domain.map(peer, 7, pairs(list), false), what).toThrow(refused)
    expect(() => kernel.domain.map(peer, 8, pairs(refs), false), 'another domain').toThrow(refused)
    expect(() => kernel.domain.map(peer, 7, Uint32Array.of(1, first), false), 'another granter').toThrow(
      refused,
    )
    expect(() => kernel.domain.map(peer, 7, pairs(new Uint32Array(65537).fill(first)), false)).toThrow(
      refused,
    )
    expect(kernel.counters()).toMatchObject({ foreignMappings: 0 })
    kernel.endSession(session)
    kernel.endSession(peer)
    expectZero(kernel)
  })
})

describe('a page given back while a peer maps it', () => {
  it('keeps its table entry but not its place under the limit, and can be mapped once more', () => {
    const { kernel, memory, session, file, peer } = setUp({ limit: 2, tableCapacity: 11 })
    const { refs } = kernel.gntalloc.allocate(session, file, 7, 0, 2)
    const { mapping } = kernel.domain.map(peer, 7, pairs(refs), false)
    kernel.gntalloc.deallocate(session, file, 0, 2)
    expect(kernel.counters()).toMatchObject({ grants: 0, pages: 0, deferred: 2, tableUsed: 2 })
    expect(() => kernel.gntalloc.allocate(session, file, 7, 0, 2), 'the table is full').toThrow()
    const again = kernel.domain.map(peer, 7, pairs(refs), false)
    kernel.domain.unmap(peer, mapping)
    expect(kernel.tick()).toBe(0)
    kernel.domain.unmap(peer, again.mapping)
    expect(memory, 'nothing is freed before the kernel looks').toEqual([])
    expect(kernel.tick()).toBe(2)
    expect(memory).toEqual(['discard 0x2'])
    expect(() => kernel.domain.map(peer, 7, pairs(refs), false)).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    )
    kernel.endSession(session)
    kernel.endSession(peer)
    expectZero(kernel)
  })

  it('drains by the budget of a round, round robin: stuck ones cost budget but block nobody', () => {
    const { kernel, session, file, peer } = setUp({ freePerIteration: 10 })
    const { refs } = kernel.gntalloc.allocate(session, file, 7, 0, 35)
    const stuck = kernel.domain.map(peer, 7, pairs(refs.subarray(0, 5)), false)
    const others = kernel.domain.map(peer, 7, pairs(refs.subarray(5)), false)
    kernel.gntalloc.deallocate(session, file, 0, 35)
    kernel.domain.unmap(peer, others.mapping)
    expect([kernel.tick(), kernel.tick(), kernel.tick(), kernel.tick()]).toEqual([5, 10, 10, 5])
    expect(kernel.tick()).toBe(0)
    expect(kernel.counters()).toMatchObject({ deferred: 5, tableUsed: 5 })
    kernel.domain.unmap(peer, stuck.mapping)
    expect(kernel.tick()).toBe(5)
    kernel.endSession(session)
    kernel.endSession(peer)
    expectZero(kernel)
  })

  it('drains in one round when that has no budget', () => {
    const { kernel, session, file, peer } = setUp({ freePerIteration: 0 })
    const { refs } = kernel.gntalloc.allocate(session, file, 7, 0, 50)
    kernel.domain.map(peer, 7, pairs(refs), false)
    kernel.gntalloc.deallocate(session, file, 0, 50)
    expect(kernel.tick()).toBe(0)
    kernel.endSession(peer)
    expect(kernel.tick()).toBe(50)
    expect(kernel.gntalloc.allocate(session, file, 7, 0, 1).index).toBe(50 * PAGE)
    kernel.endSession(session)
    expectZero(kernel)
  })
})
