import { closeSync } from 'node:fs'
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
} from '../abi.js'
import { systemCallError } from '../errors.js'
import { bytesOf, openDeviceFile, pages, readNumber, wrongDevice } from './device-file.js'
import { CopyRequest } from './grant-copy.js'
import { ioctl, MAP_SHARED, PROT_READ, PROT_WRITE } from './libc.js'
import { MapsOnce } from './maps-once.js'
import type { XenDevice } from './open-failure.js'
import { mapOver, mapZeroPages, type PageBuffer } from './page-buffer.js'
import type { CopySegment, GrantName, MapDevice } from './seam.js'

export const GNTDEV_PATH = '/dev/xen/gntdev'

const DEVICE: XenDevice = { path: GNTDEV_PATH, module: 'xen-gntdev', kind: 'the mapping device' }
const LIMIT_FILE = '/sys/module/xen_gntdev/parameters/limit'
const { EINVAL, ENOENT } = constants.errno

/** /dev/xen/gntdev, one open file of it. */
export class GntdevDevice implements MapDevice {
  readonly path: string
  #fd: number
  readonly #maps = new MapsOnce()
  // The ioctl buffers are reused: mapping thousands of grants would otherwise make garbage on every call.
  #mapBuffer = new DataView(new ArrayBuffer(MapGrantRef.size))
  readonly #unmapBuffer = new DataView(new ArrayBuffer(UnmapGrantRef.size))
  readonly #notifyBuffer = new DataView(new ArrayBuffer(UnmapNotify.size))
  readonly #copy = new CopyRequest()

  /** @throws GrantError when `path` cannot be opened or is not the mapping device; the message says what to do. */
  constructor(path: string = GNTDEV_PATH) {
    this.path = path
    this.#fd = openDeviceFile(DEVICE, path, 0, (fd) => this.#probe(fd))
  }

  map(names: readonly GrantName[]): number {
    const count = names.length
    const size = Math.max(MapGrantRef.size, MapGrantRef.refs + MapGrantRef.refSize * count)
    if (this.#mapBuffer.byteLength < size) this.#mapBuffer = new DataView(new ArrayBuffer(size))
    const buffer = this.#mapBuffer
    buffer.setUint32(MapGrantRef.count, count, true)
    for (const [i, { domid, ref }] of names.entries()) {
      buffer.setUint32(MapGrantRef.refs + MapGrantRef.refSize * i, domid, true)
      buffer.setUint32(MapGrantRef.refs + MapGrantRef.refSize * i + 4, ref, true)
    }
    this.#request(IOCTL_GNTDEV_MAP_GRANT_REF, buffer, `recording ${pages(count)} to map`, count)
    const index = Number(buffer.getBigUint64(MapGrantRef.index, true))
    this.#maps.add(index, count)
    return index
  }

  mmap(index: number, count: number, writable: boolean, over: PageBuffer): void {
    const what = `mapping ${pages(count)}${writable ? ' writable' : ''} at index ${index} of ${this.path}`
    const refusal = this.#maps.refusal(index)
    if (refusal !== undefined) throw systemCallError(EINVAL, 'mmap', `${what}: ${refusal}`)
    try {
      mapOver(over, {
        length: count * PAGE_SIZE,
        prot: writable ? PROT_READ | PROT_WRITE : PROT_READ,
        flags: MAP_SHARED,
        fd: this.#fd,
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
    buffer.setBigUint64(UnmapGrantRef.index, BigInt(index), true)
    buffer.setUint32(UnmapGrantRef.count, count, true)
    const what = `forgetting the map of ${pages(count)} at index ${index}`
    this.#request(IOCTL_GNTDEV_UNMAP_GRANT_REF, buffer, what, count)
    this.#maps.forget(index)
  }

  setUnmapNotify(index: number, action: number, port: number): void {
    const buffer = this.#notifyBuffer
    buffer.setBigUint64(UnmapNotify.index, BigInt(index), true)
    buffer.setUint32(UnmapNotify.action, action, true)
    buffer.setUint32(UnmapNotify.eventChannelPort, port, true)
    const what = `setting unmap notification ${action} (port ${port}) at index ${index}`
    this.#request(IOCTL_GNTDEV_SET_UNMAP_NOTIFY, buffer, what)
    this.#maps.arm(index, action)
  }

  copy(segments: readonly CopySegment[]): Int16Array {
    const request = this.#copy.fill(segments)
    this.#request(IOCTL_GNTDEV_GRANT_COPY, request, `copying ${segments.length} segments`)
    return this.#copy.statuses(segments.length)
  }

  limit(): number | undefined {
    return readNumber(LIMIT_FILE)
  }

  close(): void {
    if (this.#fd < 0) return
    const fd = this.#fd
    // Forgotten first: the number may belong to another file as soon as it is closed.
    this.#fd = -1
    closeSync(fd)
  }

  #request(request: number, buffer: DataView, what: string, count?: number): void {
    const errno = ioctl(this.#fd, request, bytesOf(buffer))
    if (errno === 0) return
    const fields = count === undefined ? { path: this.path } : { path: this.path, pages: count }
    throw systemCallError(errno, 'ioctl', what, fields)
  }

  /** A fresh file has no maps, so there is nothing to forget; other drivers do not know the request at all. */
  #probe(fd: number): void {
    const errno = ioctl(fd, IOCTL_GNTDEV_UNMAP_GRANT_REF, bytesOf(this.#unmapBuffer))
    if (errno !== ENOENT) throw wrongDevice(DEVICE, this.path, errno)
  }
}

/** The mapping worker's way in, see MapDeviceModule. */
export function openMapDevice(options: unknown): MapDevice {
  return new GntdevDevice((options as { path?: string } | undefined)?.path)
}
