import type { Allocation, DeviceLimits, GrantDevice } from '../../drivers/gntalloc/grant-device.js'
import type { PageBuffer } from '../../drivers/page-buffer.js'

/** Counts the calls that reach a device: what coalescing saves is measured here, not guessed. */
export class CountedDevice implements GrantDevice {
  readonly calls = { allocate: 0, deallocate: 0, setUnmapNotify: 0, mmap: 0, munmap: 0 }
  readonly #device: GrantDevice

  constructor(device: GrantDevice) {
    this.#device = device
  }

  get path(): string {
    return this.#device.path
  }

  allocate(domid: number, flags: number, count: number): Allocation {
    this.calls.allocate++
    return this.#device.allocate(domid, flags, count)
  }

  deallocate(index: number, count: number): void {
    this.calls.deallocate++
    this.#device.deallocate(index, count)
  }

  setUnmapNotify(index: number, action: number, port: number): void {
    this.calls.setUnmapNotify++
    this.#device.setUnmapNotify(index, action, port)
  }

  mmap(index: number, count: number, over: PageBuffer): void {
    this.calls.mmap++
    this.#device.mmap(index, count, over)
  }

  munmap(address: number, length: number): void {
    this.calls.munmap++
    this.#device.munmap(address, length)
  }

  limits(): DeviceLimits {
    return this.#device.limits()
  }

  domainExists(domid: number): boolean | undefined {
    return this.#device.domainExists(domid)
  }

  close(): void {
    this.#device.close()
  }
}
