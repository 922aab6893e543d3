import { constants } from 'node:os'
import {
  AllocGref,
  DeallocGref,
  IOCTL_GNTALLOC_ALLOC_GREF,
  IOCTL_GNTALLOC_DEALLOC_GREF,
  IOCTL_GNTALLOC_SET_UNMAP_NOTIFY,
  PAGE_SIZE,
  UnmapNotify,
} from '../../abi.js'
import { MAP_SHARED, PROT_READ, PROT_WRITE } from '../../native/libc.js'
import { gntalloc } from '../catalogue.js'
import { CharDevice, type ProbeAnswer, pages } from '../char-device.js'
import { domainExists } from '../domain-probe.js'
import { getOffset, setOffset } from '../file-offset.js'
import { mapOver, mapZeroPages, type PageBuffer } from '../page-buffer.js'
import { readParameter } from '../parameter.js'
import { AllocationMap } from './allocations.js'
import type { Allocation, DeviceLimits, GrantDevice } from './grant-device.js'

const { ENOSPC } = constants.errno
const LIMIT_FILE = '/sys/module/xen_gntalloc/parameters/limit'
const FREE_PER_ITERATION_FILE = '/sys/module/grant_table/parameters/free_per_iteration'

/** /dev/xen/gntalloc, one open file of it. */
export class GntallocDevice implements GrantDevice {
  readonly path: string
  readonly #file: CharDevice
  readonly #allocations = new AllocationMap()
  // The ioctl buffers are reused: an ALLOC of thousands of pages would otherwise make garbage on every call.
  #allocBuffer = new DataView(new ArrayBuffer(AllocGref.size))
  #allocRefs = new Uint32Array(this.#allocBuffer.buffer, AllocGref.grefIds)
  readonly #deallocBuffer = new DataView(new ArrayBuffer(DeallocGref.size))
  readonly #notifyBuffer = new DataView(new ArrayBuffer(UnmapNotify.size))

  /** @throws GrantError when `path` cannot be opened or is not a grant device; the message says what to do. */
  constructor(path: string = gntalloc.path) {
    this.path = path
    this.#file = CharDevice.open(gntalloc, path, (file) => this.#probe(file))
  }

  allocate(domid: number, flags: number, count: number): Allocation {
    const buffer = this.#argument(domid, flags, count)
    const what = (): string => `allocating ${pages(count)} for domain ${domid}`
    this.#file.request(IOCTL_GNTALLOC_ALLOC_GREF, buffer, what, { domid, pages: count })
    const index = getOffset(buffer, AllocGref.index)
    if (!Number.isSafeInteger(index)) {
      throw new Error(
        `${this.path} returned the file offset ${index}, beyond 2^53: close and reopen the device`,
      )
    }
    const refs = this.#allocRefs.slice(0, count)
    if (count > 0) this.#allocations.add(index, count)
    if (refs.includes(0)) {
      this.deallocate(index, count)
      throw new Error(
        `${this.path} returned grant reference 0, which Xen reserves: this driver cannot be trusted`,
      )
    }
    return { index, refs }
  }

  deallocate(index: number, count: number): void {
    const buffer = this.#deallocBuffer
    setOffset(buffer, DeallocGref.index, index)
    buffer.setUint32(DeallocGref.count, count, true)
    const what = (): string => `freeing ${pages(count)} at index ${index}`
    this.#file.request(IOCTL_GNTALLOC_DEALLOC_GREF, buffer, what, { pages: count })
    this.#allocations.remove(index, count)
  }

  setUnmapNotify(index: number, action: number, port: number): void {
    const buffer = this.#notifyBuffer
    setOffset(buffer, UnmapNotify.index, index)
    buffer.setUint32(UnmapNotify.action, action, true)
    buffer.setUint32(UnmapNotify.eventChannelPort, port, true)
    const what = `setting unmap notification ${action} (port ${port}) at index ${index}`
    this.#file.request(IOCTL_GNTALLOC_SET_UNMAP_NOTIFY, buffer, what)
  }

  mmap(index: number, count: number, over: PageBuffer): void {
    if (this.#allocations.spansTwo(index, count)) {
      // The driver would accept it and take a reference from a stranger's grant at unmap.
      throw new Error(`mapping ${pages(count)} at index ${index} would span two allocations of ${this.path}`)
    }
    mapOver(over, {
      length: count * PAGE_SIZE,
      prot: PROT_READ | PROT_WRITE,
      flags: MAP_SHARED,
      fd: this.#file.fd,
      offset: index,
      what: () => `mapping ${pages(count)} at index ${index} of ${this.path}`,
    })
  }

  munmap(address: number, length: number): void {
    mapZeroPages(address, length)
  }

  limits(): DeviceLimits {
    // Linux tells no one how large the grant table is, so tableCapacity stays unknown.
    return { limit: readParameter(LIMIT_FILE), freePerIteration: readParameter(FREE_PER_ITERATION_FILE) }
  }

  domainExists(domid: number): boolean | undefined {
    return domainExists(domid)
  }

  close(): void {
    this.#file.close()
  }

  #argument(domid: number, flags: number, count: number): DataView {
    const size = Math.max(AllocGref.size, AllocGref.grefIds + 4 * count)
    if (this.#allocBuffer.byteLength < size) {
      this.#allocBuffer = new DataView(new ArrayBuffer(size))
      this.#allocRefs = new Uint32Array(this.#allocBuffer.buffer, AllocGref.grefIds)
    }
    const buffer = this.#allocBuffer
    buffer.setUint16(AllocGref.domid, domid, true)
    buffer.setUint16(AllocGref.flags, flags, true)
    buffer.setUint32(AllocGref.count, count, true)
    return buffer
  }

  #probe(file: CharDevice): ProbeAnswer {
    // Count 0 changes nothing. ENOSPC is an answer only this driver gives: full, and the first allocation finds out why.
    const result = file.tryRequest(IOCTL_GNTALLOC_ALLOC_GREF, this.#argument(0, 0, 0))
    return result === 0 || result === -ENOSPC ? 'expected' : Math.max(0, -result)
  }
}

/** The device worker's way in, see DeviceModule. */
export function openDevice(options: unknown): GrantDevice {
  return new GntallocDevice((options as { path?: string } | undefined)?.path)
}
