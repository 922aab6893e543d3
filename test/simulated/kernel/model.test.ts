import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seedOf } from '../../agreement/seed.mjs'
import { full } from '../../setup/soak.js'
import { attempt, expectZero, makeKernel, PAGE } from '../support.js'

/** Each program is one of another domain. */
const DOMAINS = [0, 3, 5]

describe('any sequence of calls in several domains', () => {
  it('keeps the books, shares no frame, and leaves nothing behind when the programs have ended', () => {
    const step = fc.record({
      what: fc.constantFrom(
        ...(['allocate', 'deallocate', 'mmap', 'munmap', 'map', 'unmap', 'tick', 'end', 'destroy'] as const),
      ),
      program: fc.nat(2),
      granter: fc.nat(2),
      at: fc.nat(30),
      count: fc.nat(12),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const { kernel } = makeKernel({ limit: 40, tableCapacity: 50, freePerIteration: 3 })
        const startProgram = (domid: number) => {
          const session = kernel.startSession()
          // None is opened any more in a domain that was destroyed.
          const file = kernel.domains.exists(domid) ? kernel.gntalloc.open(session, domid) : 0
          return { domid, session, file }
        }
        const programs = DOMAINS.map(startProgram)
        for (const { what, program, granter, at, count } of steps) {
          const { domid, session, file } = programs[program]!
          const nth = (handles: Iterable<number>) => [...handles][at % 4] ?? 0
          const refs = Array.from({ length: count }, (_, offset) => [DOMAINS[granter]!, 8 + at + offset])
          const calls = {
            allocate: () => kernel.gntalloc.allocate(session, file, DOMAINS[granter]!, at, count),
            deallocate: () => kernel.gntalloc.deallocate(session, file, at * PAGE, count),
            mmap: () => kernel.gntalloc.mmap(session, file, at * PAGE, count),
            munmap: () => session.munmap(nth(session.mappings.keys()), at % 3, count),
            map: () => kernel.domain.map(session, domid, Uint32Array.from(refs.flat()), at % 2 === 1),
            unmap: () => kernel.domain.unmap(session, nth(session.foreignMappings.keys())),
            tick: () => kernel.tick(),
            end: () => {
              kernel.endSession(session)
              programs[program] = startProgram(domid)
            },
            destroy: () => at === 0 && kernel.destroyDomain(domid),
          }
          attempt(() => void calls[what]())
          const frames: number[] = []
          for (const domid of DOMAINS) {
            const { grants, pages, deferred, tableUsed } = kernel.counters(undefined, domid)
            expect(pages).toBe(grants)
            expect(tableUsed).toBe(grants + deferred)
            expect(pages).toBeLessThanOrEqual(40)
            expect(tableUsed).toBeLessThanOrEqual(42)
            for (const entry of kernel.domains.get(domid).table) frames.push(entry.frame)
          }
          expect(new Set(frames).size).toBe(frames.length)
        }
        for (const { session } of programs) kernel.endSession(session)
        while (kernel.deferred > 0) kernel.tick()
        expectZero(kernel)
      }),
      { seed: seedOf(process.env), numRuns: 100 * (full ? 100 : 1) },
    )
  })
})
