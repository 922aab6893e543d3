import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { attempt, expectZero, makeKernel, PAGE, pairs } from './support.js'

describe('any sequence of calls', () => {
  it('keeps the books, and leaves nothing behind when the programs have ended', () => {
    const step = fc.record({
      what: fc.constantFrom('allocate', 'deallocate', 'mmap', 'munmap', 'map', 'unmap', 'tick', 'end'),
      program: fc.nat(2),
      at: fc.nat(30),
      count: fc.nat(12),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const { kernel } = makeKernel({ limit: 40, tableCapacity: 50, freePerIteration: 3 })
        const startProgram = () => {
          const session = kernel.startSession()
          return { session, file: kernel.gntalloc.open(session, 0) }
        }
        const programs = [startProgram(), startProgram(), startProgram()]
        for (const { what, program, at, count } of steps) {
          const { session, file } = programs[program]!
          const nth = (handles: Iterable<number>) => [...handles][at % 4] ?? 0
          const refs = Array.from({ length: count }, (_, offset) => 8 + at + offset)
          if (what === 'allocate') attempt(() => kernel.gntalloc.allocate(session, file, 7, at, count))
          if (what === 'deallocate')
            attempt(() => kernel.gntalloc.deallocate(session, file, at * PAGE, count))
          if (what === 'mmap') attempt(() => kernel.gntalloc.mmap(session, file, at * PAGE, count))
          if (what === 'munmap') attempt(() => session.munmap(nth(session.mappings.keys()), at % 3, count))
          if (what === 'map') attempt(() => kernel.domain.map(session, 7, pairs(refs), at % 2 === 1))
          if (what === 'unmap')
            attempt(() => kernel.domain.unmap(session, nth(session.foreignMappings.keys())))
          if (what === 'tick') kernel.tick()
          if (what === 'end') {
            kernel.endSession(session)
            programs[program] = startProgram()
          }
          const { grants, pages, deferred, tableUsed } = kernel.counters()
          expect(pages).toBe(grants)
          expect(tableUsed).toBe(grants + deferred)
          expect(pages).toBeLessThanOrEqual(40)
          expect(tableUsed).toBeLessThanOrEqual(42)
        }
        for (const { session } of programs) kernel.endSession(session)
        while (kernel.deferred > 0) kernel.tick()
        expectZero(kernel)
      }),
    )
  })
})
