import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AllocationMap } from '../../src/drivers/gntalloc/allocations.js'
import { seedOf } from '../agreement/seed.mjs'

const PAGE = 4096

function setUp(...counts: number[]) {
  const map = new AllocationMap()
  let page = 0
  for (const count of counts) {
    map.add(page * PAGE, count)
    page += count
  }
  return { spans: (from: number, count: number) => map.spansTwo(from * PAGE, count), map }
}

describe('pages to be mapped', () => {
  it('span two allocations when they are of both, and not when they are all of one', () => {
    const { spans } = setUp(2, 3, 1)
    expect([spans(0, 2), spans(2, 3), spans(5, 1), spans(3, 1)]).toEqual([false, false, false, false])
    expect([spans(1, 2), spans(0, 5), spans(4, 2), spans(0, 6)]).toEqual([true, true, true, true])
    expect(spans(6, 10), 'of none').toBe(false)
  })

  it('span what is left of an allocation of which a part has been freed', () => {
    const { spans, map } = setUp(2, 3, 4)
    // The end of the first, all of the second, the beginning of the third.
    map.remove(1 * PAGE, 5)
    expect([spans(0, 2), spans(6, 3), spans(0, 7)]).toEqual([false, false, true])
    map.remove(0, 1)
    map.remove(6 * PAGE, 3)
    expect(spans(0, 9), 'nothing is left').toBe(false)
  })

  it('agree with a list of all pages, whatever is allocated and freed', () => {
    const step = fc.record({ free: fc.boolean(), from: fc.nat(30), count: fc.integer({ min: 1, max: 6 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const map = new AllocationMap()
        /** The allocation of each page; what has been freed stays in the way as long as its allocation does. */
        const owner: number[] = []
        const live = new Map<number, Set<number>>()
        for (const { free, from, count } of steps) {
          if (!free) {
            map.add(owner.length * PAGE, count)
            live.set(owner.length, new Set(Array.from({ length: count }, (_, i) => owner.length + i)))
            owner.push(...Array<number>(count).fill(owner.length))
            continue
          }
          const pages = Array.from({ length: count }, (_, i) => from + i)
          // The driver refuses what is not there.
          if (!pages.every((page) => live.get(owner[page]!)?.has(page))) continue
          for (const page of pages) live.get(owner[page]!)!.delete(page)
          map.remove(from * PAGE, count)
        }
        const alive = (page: number): boolean => (live.get(owner[page]!)?.size ?? 0) > 0
        for (let from = 0; from < owner.length; from++)
          for (let count = 1; count <= 8; count++) {
            const pages = Array.from({ length: count }, (_, i) => from + i).filter(alive)
            if (!alive(from)) continue
            const spans = new Set(pages.map((page) => owner[page])).size > 1
            expect(map.spansTwo(from * PAGE, count)).toBe(spans)
          }
      }),
      { seed: seedOf(process.env), numRuns: 30 },
    )
  })
})
