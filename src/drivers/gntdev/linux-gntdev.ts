import { constants } from 'node:os'
import {
  IOCTL_GNTDEV_GRANT_COPY,
  IOCTL_GNTDEV_MAP_GRANT_REF,
  IOCTL_GNTDEV_SET_UNMAP_NOTIFY,
  IOCTL_GNTDEV_UNMAP_GRANT_REF,
  MapGrantRef,
  PAGE_SIZE,
  UnmapGrantRef,
  UnmapNotify,
} from '../../abi.js'
import { systemCallError } from '../../errors.js'
import { MAP_SHARED, PROT_READ, PROT_WRITE } from '../../native/libc.js'
import { gntdev } from '../catalogue.js'
import { CharDevice, type ProbeAnswer, pages } from '../char-device.js'
import { getOffset, setOffset } from '../file-offset.js'
import { mapOver, mapZeroPages, type PageBuffer } from '../page-buffer.js'
import { readParameter } from '../parameter.js'
import { CopyRequest } from './copy-request.js'
import type { CopySegment, MapDevice } from './map-device.js'
import { MapGuard } from './map-guard.js'

const LIMIT_FILE = '/sys/module/xen_gntdev/parameters/limit'
const { EINVAL, ENOENT } = constants.errno

/** /dev/xen/gntdev, one open file of it. */
export class GntdevDevice implements MapDevice {
  readonly path: string
  readonly #file: CharDevice
  readonly #maps = new MapGuard()
  // The ioctl buffers are reused: mapping thousands of grants would otherwise make garbage on every call.
  #mapBuffer = new DataView(new ArrayBuffer(MapGrantRef.size))
  #mapNames = new Uint32Array(this.#mapBuffer.buffer, MapGrantRef.refs)
  readonly #unmapBuffer = new DataView(new ArrayBuffer(UnmapGrantRef.size))
  readonly #notifyBuffer = new DataView(new ArrayBuffer(UnmapNotify.size))
  readonly #copy = new CopyRequest()

  /** @throws GrantError when `path` cannot be opened or is not the mapping device; the message says what to do. */
  constructor(path: string = gntdev.path) {
    this.path = path
    this.#file = CharDevice.open(gntdev, path, (file) => this.#probe(file))
  }

  map(names: Uint32Array): number {
    const count = names.length / 2
    if (this.#mapNames.length < names.length) {
      this.#mapBuffer = new DataView(new ArrayBuffer(MapGrantRef.refs + names.byteLength))
      this.#mapNames = new Uint32Array(this.#mapBuffer.buffer, MapGrantRef.refs)
    }
    const buffer = this.#mapBuffer
    buffer.setUint32(MapGrantRef.count, count, true)
    this.#mapNames.set(names)
    const what = (): string => `recording ${pages(count)} to map`
    this.#file.request(IOCTL_GNTDEV_MAP_GRANT_REF, buffer, what, { pages: count })
    const index = getOffset(buffer, MapGrantRef.index)
    this.#maps.add(index, count)
    return index
  }

  mmap(index: number, count: number, writable: boolean, over: PageBuffer): void {
    const what = (): string =>
      `mapping ${pages(count)}${writable ? ' writable' : ''} at index ${index} of ${this.path}`
    const refusal = this.#maps.refusal(index)
    if (refusal !== undefined) throw systemCallError(EINVAL, 'mmap', `${what()}: ${refusal}`)
    try {
      mapOver(over, {
        length: count * PAGE_SIZE,
        prot: writable ? PROT_READ | PROT_WRITE : PROT_READ,
        flags: MAP_SHARED,
        fd: this.#file.fd,
        offset: index,
        what,
      })
    } finally {
      this.#maps.tried(index, count)
    }
  }

  munmap(address: number, length: number): void {
    mapZeroPages(address, length)
  }

  unmap(index: number, count: number): void {
    const buffer = this.#unmapBuffer
    setOffset(buffer, UnmapGrantRef.index, index)
    buffer.setUint32(UnmapGrantRef.count, count, true)
    const what = (): string => `forgetting the map of ${pages(count)} at index ${index}`
    this.#file.request(IOCTL_GNTDEV_UNMAP_GRANT_REF, buffer, what, { pages: count })
    this.#maps.forget(index)
  }

  setUnmapNotify(index: number, action: number, port: number): void {
    const buffer = this.#notifyBuffer
    setOffset(buffer, UnmapNotify.index, index)
    buffer.setUint32(UnmapNotify.action, action, true)
    buffer.setUint32(UnmapNotify.eventChannelPort, port, true)
    const what = `setting unmap notification ${action} (port ${port}) at index ${index}`
    this.#file.request(IOCTL_GNTDEV_SET_UNMAP_NOTIFY, buffer, what)
    this.#maps.arm(index, action)
  }

  copy(segments: readonly CopySegment[]): Int16Array {
    const request = this.#copy.fill(segments)
    this.#file.request(IOCTL_GNTDEV_GRANT_COPY, request, `copying ${segments.length} segments`)
    return this.#copy.statuses(segments.length)
  }

  limit(): number | undefined {
    return readParameter(LIMIT_FILE)
  }

  close(): void {
    this.#file.close()
  }

  /** A fresh file has no maps, so there is nothing to forget; other drivers do not know the request at all. */
  #probe(file: CharDevice): ProbeAnswer {
    const result = file.tryRequest(IOCTL_GNTDEV_UNMAP_GRANT_REF, this.#unmapBuffer)
    return result === -ENOENT ? 'expected' : Math.max(0, -result)
  }
}

/** The mapping worker's way in, see MapDeviceModule. */
export function openMapDevice(options: unknown): MapDevice {
  return new GntdevDevice((options as { path?: string } | undefined)?.path)
}
