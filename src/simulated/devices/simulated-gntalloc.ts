import { AllocationMap } from '../../drivers/gntalloc/allocations.js'
import type { Allocation, DeviceLimits, GrantDevice } from '../../drivers/gntalloc/grant-device.js'
import type { PageBuffer } from '../../drivers/page-buffer.js'
import type { SimulatedDeviceOptions } from './descriptors.js'
import { LocalMappings } from './local-mappings.js'
import { DeviceFile } from './simulated-file.js'

/** The `openDevice` of a device module. @throws GrantError ENOENT, ECONNREFUSED */
export function openDevice(options: unknown): GrantDevice {
  return new SimulatedGntalloc(options as SimulatedDeviceOptions)
}

/** A file of some domain's simulated gntalloc. */
class SimulatedGntalloc implements GrantDevice {
  readonly path: string
  readonly #file: DeviceFile
  readonly #mappings: LocalMappings
  readonly #allocations = new AllocationMap()

  constructor({ path, domid }: SimulatedDeviceOptions) {
    this.path = path
    this.#file = new DeviceFile(path, 'gntalloc', (connection) =>
      connection.request('gntalloc.open', [domid]),
    )
    this.#mappings = new LocalMappings(this.#file, 'gntalloc')
  }

  allocate(domid: number, flags: number, count: number): Allocation {
    const file = this.#file.enter('ioctl')
    const { index, numbers } = this.#file.connection.request('gntalloc.allocate', [file, domid, flags, count])
    if (count > 0) this.#allocations.add(index, count)
    return { index, refs: numbers }
  }

  deallocate(index: number, count: number): void {
    const file = this.#file.enter('ioctl')
    this.#file.connection.request('gntalloc.deallocate', [file, index, count])
    this.#allocations.remove(index, count)
  }

  setUnmapNotify(index: number, action: number, port: number): void {
    const file = this.#file.enter('ioctl')
    this.#file.connection.request('gntalloc.setUnmapNotify', [file, index, action, port])
  }

  mmap(index: number, count: number, over: PageBuffer): void {
    const file = this.#file.enter('mmap')
    if (this.#allocations.spansTwo(index, count)) {
      // As the real device: a caller's mistake that would corrupt the driver's books must not pass its tests here.
      throw new Error(`mapping ${count} pages at index ${index} would span two allocations of ${this.path}`)
    }
    const { mapping, numbers } = this.#file.connection.request('gntalloc.mmap', [file, index, count])
    this.#mappings.map(mapping, numbers, 'shared', over)
  }

  munmap(address: number, length: number): void {
    this.#mappings.munmap(address, length)
  }

  limits(): DeviceLimits {
    const file = this.#file.number('read')
    return this.#file.connection.request('gntalloc.limits', [file])
  }

  domainExists(domid: number): boolean {
    this.#file.number('ioctl')
    return this.#file.connection.request('gntalloc.domainExists', [domid]).exists === 1
  }

  /** Mappings keep their pages, as with the real device, and with them the connection. */
  close(): void {
    if (this.#file.close()) this.#mappings.finishClosing()
  }
}
