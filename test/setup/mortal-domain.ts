import type { Xen } from 'xen-grants'
import type { SimulatedXen } from 'xen-grants/simulated'
import type { DeviceDescriptor } from '../../dist/src/drivers/descriptor.js'
import { eventDescriptor } from '../../dist/src/drivers/evtchn/event-device.js'
import { deviceDescriptor } from '../../dist/src/drivers/gntalloc/grant-device.js'
import { mapDescriptor } from '../../dist/src/drivers/gntdev/map-device.js'
import { storeDescriptor } from '../../dist/src/drivers/xenbus/store-device.js'

/** A domain whose workers die when asked to, by {@link killers}. */
export function mortalDomain(xen: SimulatedXen, domid: number): object {
  const domain = xen.domain(domid)
  const over = (descriptor: DeviceDescriptor, name: string): DeviceDescriptor => {
    const module = new URL(`../fixtures/${name}`, import.meta.url).href
    return { ...descriptor, module }
  }
  return {
    [deviceDescriptor]: over(domain[deviceDescriptor], 'mortal-device.mjs'),
    [mapDescriptor]: over(domain[mapDescriptor], 'mortal-maps.mjs'),
    [eventDescriptor]: over(domain[eventDescriptor], 'mortal-events.mjs'),
    [storeDescriptor]: domain[storeDescriptor],
  }
}

/** Each makes a worker of a mortal domain die. */
export const killers = {
  grants: async (xen: Xen) => void (await xen.grants()).share({ domid: 102, pages: 1 }).catch(() => {}),
  mapper: async (xen: Xen) => void (await xen.mapper()).map({ domid: 0, refs: [30_101] }).catch(() => {}),
  events: async (xen: Xen) => void (await xen.events()).bindVirq(102).catch(() => {}),
}
