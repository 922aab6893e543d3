import { afterEach, beforeEach, expect } from 'vitest'
import { SimulatedXen } from 'xen-grants/simulated'

type SimulationOptions = Parameters<typeof SimulatedXen.create>[0]

/**
 * A simulated Xen for each test of a file. Whatever the test did, at its end nothing may be left in the driver.
 * Servers are the test's to close.
 */
export function useXen(options?: SimulationOptions): { readonly xen: SimulatedXen } {
  let xen: SimulatedXen | undefined
  beforeEach(async () => {
    xen = await SimulatedXen.create({ freePerIteration: 0, ...options })
  })
  afterEach(async () => {
    await xen!.tick()
    let left = await xen!.counters()
    // That a store has been closed comes on another socket.
    for (let tries = 0; left.storeConnections > 0 && tries < 1000; tries++) left = await xen!.counters()
    await xen!.close()
    expect(left).toMatchObject({
      grants: 0,
      pages: 0,
      files: 0,
      mappings: 0,
      foreignMappings: 0,
      maps: 0,
      ports: 0,
      deferred: 0,
      storeConnections: 0,
      storeWatches: 0,
      storeTransactions: 0,
    })
  })
  return {
    get xen() {
      return xen!
    },
  }
}

/** What a failed call rejected with. Fails the test when it did not. */
export async function rejection(promise: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  try {
    await promise
  } catch (error) {
    return error as Error & Record<string, unknown>
  }
  throw new Error('expected a rejection, but the call succeeded')
}
