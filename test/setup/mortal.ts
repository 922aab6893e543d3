import type { SimulatedXen } from 'xen-grants/simulated'
import { deviceDescriptor } from '../../dist/src/drivers/gntalloc/grant-device.js'

/** The grant device of a simulated Xen, over which its device worker dies when asked to: see test/fixtures/mortal-device.mjs. */
export function mortal(xen: SimulatedXen): { [deviceDescriptor]: object } {
  const module = new URL('../fixtures/mortal-device.mjs', import.meta.url).href
  return { [deviceDescriptor]: { ...xen[deviceDescriptor], module } }
}
