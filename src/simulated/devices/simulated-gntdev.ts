import type { CopySegment, GrantName, MapDevice } from '../../drivers/gntdev/map-device.js'
import type { PageBuffer } from '../../drivers/page-buffer.js'
import { MAX_GRANTS_PER_MAP } from '../kernel/gntdev.js'
import { decodeCopied, encodeCopy } from '../wire/copy-message.js'
import { LocalMappings } from './local-mappings.js'
import { DeviceFile } from './simulated-file.js'

export interface SimulatedMapDeviceOptions {
  /** The directory of the simulated Xen. */
  path: string
  /** The domain whose device this is. Default: the local domain. */
  domid?: number | undefined
}

/** The `openMapDevice` of a device module. @throws GrantError ENOENT, ECONNREFUSED */
export function openMapDevice(options: unknown): MapDevice {
  return new SimulatedMapDevice(options as SimulatedMapDeviceOptions)
}

/** A file of some domain's simulated gntdev. */
class SimulatedMapDevice implements MapDevice {
  readonly path: string
  readonly #file: DeviceFile
  readonly #mappings: LocalMappings

  constructor({ path, domid }: SimulatedMapDeviceOptions) {
    this.path = path
    this.#file = new DeviceFile(path, (connection, localDomid) =>
      connection.request('openMap', [domid ?? localDomid]),
    )
    this.#mappings = new LocalMappings(this.#file, 'mapped')
  }

  map(names: readonly GrantName[]): number {
    const file = this.#file.enter('ioctl')
    const pairs = new Uint32Array(names.length * 2)
    for (const [i, { domid, ref }] of names.entries()) pairs.set([domid, ref], i * 2)
    return this.#file.connection.request('mapGrants', [file], pairs).index
  }

  mmap(index: number, count: number, writable: boolean, over: PageBuffer): void {
    const file = this.#file.enter('mmap')
    const { mapping, numbers } = this.#file.connection.request('mmapGrants', [
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
    this.#file.connection.request('unmapGrants', [file, index, count])
  }

  setUnmapNotify(index: number, action: number, port: number): void {
    const file = this.#file.enter('ioctl')
    this.#file.connection.request('setMapNotify', [file, index, action, port])
  }

  copy(segments: readonly CopySegment[]): Int16Array {
    const file = this.#file.enter('ioctl')
    const { numbers } = this.#file.connection.request('copy', [file], encodeCopy(segments))
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
