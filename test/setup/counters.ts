import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Counters, SimulatedXen } from 'xen-grants/simulated'

/** What a simulated Xen counts when everybody has cleaned up. */
export const ZERO: Counters = {
  grants: 0,
  pages: 0,
  files: 0,
  mappings: 0,
  foreignMappings: 0,
  maps: 0,
  ports: 0,
  deferred: 0,
  tableUsed: 0,
  sessions: 0,
  storeConnections: 0,
  storeWatches: 0,
  storeTransactions: 0,
}

/** What it counts now, but for programs that have connections: other ones may. */
export async function counted(xen: SimulatedXen): Promise<object> {
  const { sessions, ...all } = await xen.counters()
  return all
}

/** Waits until it counts what it has counted before: what has just been closed is given back a moment later. */
export async function countsAgain(xen: SimulatedXen, before: object): Promise<void> {
  let left = await counted(xen)
  for (let tries = 0; tries < 1000 && JSON.stringify(left) !== JSON.stringify(before); tries++) {
    await pause(5)
    await xen.tick()
    left = await counted(xen)
  }
  expect(left).toEqual(before)
}
