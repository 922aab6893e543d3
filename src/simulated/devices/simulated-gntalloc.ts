import { AllocationMap } from '../../drivers/gntalloc/allocations.js'
import type { Allocation, DeviceLimits, GrantDevice } from '../../drivers/gntalloc/grant-device.js'
import type { PageBuffer } from '../../drivers/page-buffer.js'
import { LocalMappings } from './local-mappings.js'
import { DeviceFile } from './simulated-file.js'

export interface SimulatedDeviceOptions {
  /** The directory of the simulated Xen. */
  path: string
}

/** The `openDevice` of a device module. @throws GrantError ENOENT, ECONNREFUSED */
export function openDevice(options: unknown): GrantDevice {
  return new SimulatedDevice(options as SimulatedDeviceOptions)
}

/** A file of the simulated gntalloc. */
class SimulatedDevice implements GrantDevice {
  readonly path: string
  readonly #file: DeviceFile
  readonly #mappings: LocalMappings
  readonly #allocations = new AllocationMap()

  constructor({ path }: SimulatedDeviceOptions) {
    this.path = path
    this.#file = new DeviceFile(path, (connection) => connection.request('open'))
    this.#mappings = new LocalMappings(this.#file, 'granted')
  }

  allocate(domid: number, flags: number, count: number): Allocation {
    const file = this.#file.enter('ioctl')
    const { index, numbers } = this.#file.connection.request('allocate', [file, domid, flags, count])
    if (count > 0) this.#allocations.add(index, count)
    return { index, refs: numbers }
  }

  deallocate(index: number, count: number): void {
    const file = this.#file.enter('ioctl')
    this.#file.connection.request('deallocate', [file, index, count])
    this.#allocations.remove(index, count)
  }

  setUnmapNotify(index: number, action: number, port: number): void {
    const file = this.#file.enter('ioctl')
    this.#file.connection.request('setUnmapNotify', [file, index, action, port])
  }

  mmap(index: number, count: number, over: PageBuffer): void {
    const file = this.#file.enter('mmap')
    if (this.#allocations.spansTwo(index, count)) {
      // As the real device: a caller's mistake that would corrupt the driver's books must not pass its tests here.
      throw new Error(`mapping ${count} pages at index ${index} would span two allocations of ${this.path}`)
    }
    const { mapping, numbers } = this.#file.connection.request('mmap', [file, index, count])
    this.#mappings.map(mapping, numbers, 'shared', over)
  }

  munmap(address: number, length: number): void {
    this.#mappings.munmap(address, length)
  }

  limits(): DeviceLimits {
    this.#file.number('read')
    return this.#file.connection.request('limits')
  }

  domainExists(domid: number): boolean {
    this.#file.number('ioctl')
    return this.#file.connection.request('domainExists', [domid]).exists === 1
  }

  /** Mappings keep their pages, as with the real device, and with them the connection. */
  close(): void {
    if (this.#file.close()) this.#mappings.finishClosing()
  }
}
