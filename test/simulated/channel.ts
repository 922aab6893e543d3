import { expect } from 'vitest'
import type { SimulatedXen } from 'xen-grants/simulated'
import type { EventDevice } from '../../dist/src/device/seam.js'
import { openEvents } from './support.js'

/** Two domains with a channel between them, its first event taken. */
export async function connect(xen: SimulatedXen) {
  const [here, there] = [await openEvents(xen), await openEvents(xen.domain(7))]
  const port = here.bindUnbound(7)
  const peerPort = there.bindInterdomain(0, port)
  expect(there.read(), 'the spurious first event').toEqual([peerPort])
  there.unmask([peerPort])
  return { here, there, port, peerPort }
}

export function closeAll(...devices: EventDevice[]): void {
  for (const device of devices) device.close()
}
