import type { DeviceDescriptor } from '../../drivers/descriptor.js'
import { ownFile } from '../../native/own-file.js'

/** What every simulated device is opened with. */
export interface SimulatedDeviceOptions {
  /** The directory of the simulated Xen. */
  path: string
  /** The domain whose device it is. */
  domid: number
}

/** How the devices of one domain of a simulated Xen are opened. */
export interface DomainDescriptors {
  readonly grants: DeviceDescriptor
  readonly maps: DeviceDescriptor
  readonly events: DeviceDescriptor
  readonly store: DeviceDescriptor
}

export function descriptorsOf(options: SimulatedDeviceOptions): DomainDescriptors {
  const descriptor = (module: string): DeviceDescriptor => ({
    module: ownFile(module, import.meta.url).href,
    options,
    path: options.path,
    simulated: true,
  })
  return {
    grants: descriptor('./simulated-gntalloc.js'),
    maps: descriptor('./simulated-gntdev.js'),
    events: descriptor('./simulated-evtchn.js'),
    store: descriptor('./simulated-xenbus.js'),
  }
}
