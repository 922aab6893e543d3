import fc from 'fast-check'
import { expect, it } from 'vitest'
import { seedOf } from '../../agreement/seed.mjs'
import { full } from '../../setup/soak.js'
import { attempt, expectZero, makeKernel, PAGE, pairs, WRITABLE } from '../support.js'

it('any sequence of calls of mappers leaves nothing behind when the programs have ended', () => {
  const step = fc.record({
    what: fc.constantFrom(
      ...(['map', 'mmap', 'munmap', 'unmap', 'arm', 'offer', 'bind', 'unbind', 'notify'] as const),
      ...(['read', 'unmask', 'grant', 'free', 'closeMaps', 'end'] as const),
    ),
    program: fc.nat(2),
    at: fc.nat(8),
    count: fc.integer({ min: 1, max: 3 }),
    flag: fc.nat(3),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const { kernel } = makeKernel({ limit: 40, tableCapacity: 50, freePerIteration: 0 })
      const { gntdev, evtchn } = kernel
      const startProgram = () => {
        const session = kernel.startSession()
        const [grants, maps] = [kernel.gntalloc.open(session, 0), gntdev.open(session, 7)]
        return { session, grants, maps, events: evtchn.open(session, 7) }
      }
      const programs = [startProgram(), startProgram(), startProgram()]
      const calls = (program: number, at: number, count: number, flag: number) => {
        const { session, grants, maps, events } = programs[program]!
        const refs = Array.from({ length: count }, (_, offset) => 8 + at + offset)
        const mapping = [...session.mappings.keys()][at % 4] ?? 0
        return {
          grant: () => kernel.gntalloc.allocate(session, grants, 7, flag & WRITABLE, count),
          free: () => kernel.gntalloc.deallocate(session, grants, at * PAGE, count),
          map: () => gntdev.map(session, maps, pairs(refs)),
          mmap: () => gntdev.mmap(session, maps, at * PAGE, count, (flag & 1) !== 0),
          munmap: () => session.munmap(mapping, at % 2, count),
          unmap: () => gntdev.unmap(session, maps, at * PAGE, count),
          arm: () => gntdev.setUnmapNotify(session, maps, at * PAGE + count, flag, at),
          offer: () => evtchn.bindUnbound(session, events, 7),
          bind: () => evtchn.bindInterdomain(session, events, 7, at),
          unbind: () => evtchn.unbind(session, events, at),
          notify: () => evtchn.notify(session, events, at),
          read: () => evtchn.read(session, events),
          unmask: () => evtchn.unmask(session, events, [at]),
          closeMaps: () => gntdev.close(session, maps),
          end: () => {
            kernel.endSession(session)
            programs[program] = startProgram()
          },
        }
      }
      for (const { what, program, at, count, flag } of steps) {
        attempt(calls(program, at, count, flag)[what])
        const { maps, foreignMappings, ports } = kernel.counters()
        expect(foreignMappings).toBeLessThanOrEqual(maps)
        expect(ports).toBeGreaterThanOrEqual(0)
      }
      for (const { session } of programs) kernel.endSession(session)
      while (kernel.deferred > 0) kernel.tick()
      expectZero(kernel)
    }),
    { seed: seedOf(process.env), numRuns: 100 * (full ? 100 : 1) },
  )
})
