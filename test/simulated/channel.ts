import { expect } from 'vitest'
import type { SimulatedXen } from 'xen-grants/simulated'
import type { EventEnd } from '../contract/event-end.mjs'
import { openEvents } from './support.js'

/** Two domains with a channel between them, its first event taken. */
export async function connect(xen: SimulatedXen) {
  const [here, there] = [await openEvents(xen), await openEvents(xen.domain(7))]
  const port = here.device.bindUnbound(7)
  const peerPort = there.device.bindInterdomain(0, port)
  expect(await there.read(), 'the spurious first event').toEqual([peerPort])
  there.unmask([peerPort])
  return { here, there, port, peerPort }
}

export async function closeAll(...ends: EventEnd[]): Promise<void> {
  for (const end of ends) await end.close()
}
