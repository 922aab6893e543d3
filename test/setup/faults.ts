import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { type FaultableCall, SimulatedXen } from 'xen-grants/simulated'

/** One call that fails once, with one of the errnos the driver has for it. */
export type Fault = readonly [call: FaultableCall, code: string]

/** Every call with each of its errnos. */
export function faults(table: Partial<Record<FaultableCall, string[]>>): Fault[] {
  return Object.entries(table).flatMap(([call, codes]) =>
    codes.map((code) => [call as FaultableCall, code] as const),
  )
}

/**
 * One simulated Xen for all tests of a file: opening devices for each of many small cases would take most of the
 * time. After each, everything is as it was before the first; after the last there is nothing.
 *
 * @param open opens what all cases use
 * @param close closes it
 */
export function useSharedXen(open: (xen: SimulatedXen) => Promise<void>, close: () => Promise<void>) {
  let xen: SimulatedXen | undefined
  let before: object
  beforeAll(async () => {
    xen = await SimulatedXen.create({ freePerIteration: 0 })
    await open(xen)
    before = await xen.counters()
  })
  afterEach(async () => {
    await xen!.tick()
    // A connection may still be on its way out: its device has been closed, which is what counts.
    const { sessions: _before, ...expected } = before as { sessions: number }
    const { sessions: _now, ...left } = await xen!.counters()
    expect(left).toEqual(expected)
  })
  afterAll(async () => {
    await close()
    const { grants, pages, files, mappings, foreignMappings, maps, ports, deferred } = await xen!.counters()
    await xen!.close()
    expect([grants, pages, files, mappings, foreignMappings, maps, ports, deferred]).toEqual(Array(8).fill(0))
  })
  return {
    get xen() {
      return xen!
    },
    async fail(...ordered: Fault[]): Promise<void> {
      for (const [call, code] of ordered) await xen!.failNext(call, code)
    },
  }
}
