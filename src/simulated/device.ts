import { closeSync, openSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { PAGE_SIZE } from '../abi.js'
import { mapZeroPages, munmap } from '../device/libc.js'
import type { Allocation, DeviceLimits, GrantDevice } from '../device/seam.js'
import { GrantError, systemCallError } from '../errors.js'
import { BlockingConnection } from './blocking-connection.js'
import { mapFrames, mapFramesAt } from './frame-map.js'
import { MappedPages } from './mapped-pages.js'
import { files } from './protocol.js'

const { EBADF, EINVAL } = constants.errno

export interface SimulatedDeviceOptions {
  /** The directory of the simulated Xen. */
  path: string
}

interface LocalMapping {
  /** The host's name for it. */
  readonly id: number
  readonly address: number
  readonly frames: Uint32Array
  readonly pages: MappedPages
}

/** The `openDevice` of a device module. @throws GrantError ENOENT, ECONNREFUSED */
export function openDevice(options: unknown): GrantDevice {
  return new SimulatedDevice(options as SimulatedDeviceOptions)
}

/** A file of the simulated gntalloc: each call is a round trip to the host, during which the thread is blocked. */
class SimulatedDevice implements GrantDevice {
  readonly path: string
  readonly #connection: BlockingConnection
  /** Opened by Node, which closes it when the thread ends. */
  readonly #memory: number
  readonly #file: number
  readonly #ioctlDelay: number
  readonly #clock = new Int32Array(new SharedArrayBuffer(4))
  /** By address. */
  readonly #mappings = new Map<number, LocalMapping>()
  #open = true

  constructor({ path }: SimulatedDeviceOptions) {
    this.path = path
    this.#connection = new BlockingConnection(path)
    try {
      const { file, ioctlDelay } = this.#connection.request('open')
      this.#file = file
      this.#ioctlDelay = ioctlDelay
      this.#memory = openSync(join(path, files.memory), 'r+')
    } catch (error) {
      this.#connection.close()
      throw error
    }
  }

  allocate(domid: number, flags: number, count: number): Allocation {
    this.#enter('ioctl')
    const { index, numbers } = this.#connection.request('allocate', [this.#file, domid, flags, count])
    return { index, refs: numbers }
  }

  deallocate(index: number, count: number): void {
    this.#enter('ioctl')
    this.#connection.request('deallocate', [this.#file, index, count])
  }

  setUnmapNotify(index: number, action: number, port: number): void {
    this.#enter('ioctl')
    this.#connection.request('setUnmapNotify', [this.#file, index, action, port])
  }

  mmap(index: number, count: number): number {
    this.#enter('mmap')
    const { mapping: id, numbers } = this.#connection.request('mmap', [this.#file, index, count])
    try {
      const address = mapFrames(this.#memory, numbers, 'shared')
      this.#mappings.set(address, { id, address, frames: numbers, pages: new MappedPages(count) })
      return address
    } catch (error) {
      this.#connection.request('munmap', [id, 0, count])
      throw error
    }
  }

  munmap(address: number, length: number): void {
    this.#letGo('munmap', address, length)
    munmap(address, length)
    this.#finishClosing()
  }

  replaceMapping(address: number, length: number): void {
    this.#letGo('replaceMapping', address, length)
    this.#finishClosing()
  }

  limits(): DeviceLimits {
    if (!this.#open) throw this.#closedError('read')
    return this.#connection.request('limits')
  }

  /** Mappings keep their pages, as with the real device, and with them the connection. */
  close(): void {
    if (!this.#open) return
    this.#delay()
    this.#open = false
    this.#untilGone(() => this.#connection.request('close', [this.#file]))
    this.#finishClosing()
  }

  /**
   * Puts zero pages there first: once the host has freed a page it may give it to somebody else, and by then no view of
   * this process must reach it.
   */
  #letGo(call: 'munmap' | 'replaceMapping', address: number, length: number): void {
    const { mapping, first, count } = this.#locate(address, length)
    this.#delay()
    mapZeroPages(address, length)
    try {
      this.#untilGone(() => this.#connection.request(call, [mapping.id, first, count]))
    } catch (error) {
      mapFramesAt(address, this.#memory, mapping.frames.subarray(first, first + count), 'shared')
      throw error
    }
    mapping.pages.remove(first, count)
    if (mapping.pages.remaining === 0) this.#mappings.delete(mapping.address)
  }

  /** Only what this device has mapped may be unmapped: anything else belongs to somebody else in this process. */
  #locate(address: number, length: number): { mapping: LocalMapping; first: number; count: number } {
    const count = length / PAGE_SIZE
    for (const mapping of this.#candidates(address)) {
      const first = (address - mapping.address) / PAGE_SIZE
      if (Number.isInteger(first) && Number.isInteger(count) && mapping.pages.has(first, count))
        return { mapping, first, count }
    }
    const what = `unmapping ${length} bytes at 0x${address.toString(16)}, not all of which this device has mapped`
    throw systemCallError(EINVAL, 'munmap', what, { path: this.path })
  }

  /** A piece that is left may have another mapping behind it, so a look at the addresses alone does not do. */
  #candidates(address: number): Iterable<LocalMapping> {
    const exact = this.#mappings.get(address)
    return exact ? [exact] : this.#mappings.values()
  }

  /** A host that has gone has let go of everything of this session already. */
  #untilGone(request: () => void): void {
    try {
      request()
    } catch (error) {
      if (!(error instanceof GrantError && error.code === 'ECONNRESET')) throw error
    }
  }

  #finishClosing(): void {
    if (this.#open || this.#mappings.size > 0) return
    this.#connection.close()
    closeSync(this.#memory)
  }

  #enter(syscall: string): void {
    if (!this.#open) throw this.#closedError(syscall)
    this.#delay()
  }

  #delay(): void {
    if (this.#ioctlDelay > 0) Atomics.wait(this.#clock, 0, 0, this.#ioctlDelay)
  }

  #closedError(syscall: string): GrantError {
    return systemCallError(EBADF, syscall, 'the device has been closed', { path: this.path })
  }
}
