import type { CopySegment, MapDevice } from '../../drivers/gntdev/map-device.js'
import type { PageBuffer } from '../../drivers/page-buffer.js'
import { MAX_GRANTS_PER_MAP } from '../kernel/gntdev.js'
import { decodeCopied, encodeCopy } from '../wire/copy-message.js'
import type { SimulatedDeviceOptions } from './descriptors.js'
import { LocalMappings } from './local-mappings.js'
import { DeviceFile } from './simulated-file.js'

/** The `openMapDevice` of a device module. @throws GrantError ENOENT, ECONNREFUSED */
export function openMapDevice(options: unknown): MapDevice {
  return new SimulatedGntdev(options as SimulatedDeviceOptions)
}

/** A file of some domain's simulated gntdev. */
class SimulatedGntdev implements MapDevice {
  readonly path: string
  readonly #file: DeviceFile
  readonly #mappings: LocalMappings

  constructor({ path, domid }: SimulatedDeviceOptions) {
    this.path = path
    this.#file = new DeviceFile(path, 'gntdev', (connection) => connection.request('gntdev.open', [domid]))
    this.#mappings = new LocalMappings(this.#file, 'gntdev')
  }

  map(names: Uint32Array): number {
    const file = this.#file.enter('ioctl')
    return this.#file.connection.request('gntdev.map', [file], names).index
  }

  mmap(index: number, count: number, writable: boolean, over: PageBuffer): void {
    const file = this.#file.enter('mmap')
    const { mapping, numbers } = this.#file.connection.request('gntdev.mmap', [
      file,
      index,
      count,
      Number(writable),
    ])
    this.#mappings.map(mapping, numbers, writable ? 'shared' : 'private', over)
  }

  munmap(address: number, length: number): void {
    this.#mappings.munmap(address, length)
  }

  unmap(index: number, count: number): void {
    const file = this.#file.enter('ioctl')
    this.#file.connection.request('gntdev.unmap', [file, index, count])
  }

  setUnmapNotify(index: number, action: number, port: number): void {
    const file = this.#file.enter('ioctl')
    this.#file.connection.request('gntdev.setUnmapNotify', [file, index, action, port])
  }

  copy(segments: readonly CopySegment[]): Int16Array {
    const file = this.#file.enter('ioctl')
    const { numbers } = this.#file.connection.request('gntdev.copy', [file], encodeCopy(segments))
    return decodeCopied(segments, numbers)
  }

  limit(): number {
    this.#file.number('read')
    return MAX_GRANTS_PER_MAP
  }

  close(): void {
    if (this.#file.close()) this.#mappings.finishClosing()
  }
}
