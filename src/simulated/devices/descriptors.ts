import type { DeviceDescriptor } from '../../drivers/descriptor.js'

/** How the devices of one domain of a simulated Xen are opened; without `domid`, those of the local domain. */
export interface DomainDescriptors {
  readonly map: DeviceDescriptor
  readonly events: DeviceDescriptor
}

/** @param path the directory of the simulated Xen */
export function descriptorsOf(path: string, domid?: number): DomainDescriptors {
  const descriptor = (module: string): DeviceDescriptor => ({
    module: new URL(module, import.meta.url).href,
    options: { path, domid },
    path,
    simulated: true,
  })
  return { map: descriptor('./simulated-gntdev.js'), events: descriptor('./simulated-evtchn.js') }
}
