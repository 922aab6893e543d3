import { PAGE_SIZE } from '../../abi.js'
import type { MapDevice } from '../../drivers/gntdev/map-device.js'
import type { PageBuffer } from '../../drivers/page-buffer.js'
import { GrantError } from '../../errors.js'
import { dropped } from '../../memory/dropped.js'

/** What one map of the device records at most: its parameter `limit`, where that cannot be read. */
const DEFAULT_LIMIT = 65_536

/** One map of the device. It is given up in two steps, each of which can fail and be tried again. */
interface Piece {
  readonly index: number
  /** Of its first page in the mapping. */
  readonly first: number
  readonly count: number
  mapped: boolean
  /** The driver keeps the references. */
  known: boolean
}

/** Grants mapped side by side: in one map of the device, or in several when the driver does not take so many at once. */
export class Mapping {
  /** What it is mapped over: kept from V8 until it is not any more. */
  readonly memory: PageBuffer
  readonly #device: MapDevice
  readonly #pieces: Piece[] = []

  constructor(device: MapDevice, memory: PageBuffer) {
    this.#device = device
    this.memory = memory
  }

  /**
   * Once. From low to high addresses.
   * @param names pairs of domid and reference
   * @throws GrantError; then what has been mapped is to be {@link release}d
   */
  map(names: Uint32Array, writable: boolean): void {
    const count = names.length / 2
    try {
      this.#mapInParts(names, count, writable)
    } catch (error) {
      // The limit is looked at only when the driver has refused: to read it takes as long as to map.
      if (!isRefusal(error)) throw error
      const limit = Math.max(1, this.#device.limit() ?? DEFAULT_LIMIT)
      if (count <= limit) throw error
      this.#mapInParts(names, limit, writable)
    }
  }

  #mapInParts(names: Uint32Array, most: number, writable: boolean): void {
    const { buffer, address } = this.memory
    for (let first = 0; first < names.length / 2; first += most) {
      const some = names.subarray(2 * first, 2 * (first + most))
      const count = some.length / 2
      const piece = { index: this.#device.map(some), first, count, mapped: false, known: true }
      this.#pieces.push(piece)
      this.#device.mmap(piece.index, count, writable, { buffer, address: address + first * PAGE_SIZE })
      piece.mapped = true
    }
  }

  /** All of it is one piece of memory that is mapped: see {@link unmapTogether}. */
  get whole(): boolean {
    return this.#pieces.length === 1 && this.#pieces[0]!.mapped
  }

  get byteLength(): number {
    return this.memory.buffer.byteLength
  }

  /** Zero pages are in the place of a mapping that was {@link whole}. */
  unmapped(): void {
    this.#pieces[0]!.mapped = false
    dropped(this.byteLength)
  }

  /** A step that fails leaves the rest as it is, and can be tried again from there. @throws GrantError */
  release(): void {
    for (const piece of this.#pieces) {
      if (piece.mapped) {
        this.#device.munmap(this.memory.address + piece.first * PAGE_SIZE, piece.count * PAGE_SIZE)
        piece.mapped = false
        dropped(piece.count * PAGE_SIZE)
      }
      if (piece.known) this.#device.unmap(piece.index, piece.count)
      piece.known = false
    }
  }

  /** @param offset of a byte in the mapping. @throws GrantError */
  setUnmapNotify(offset: number, action: number, port: number): void {
    const page = Math.floor(offset / PAGE_SIZE)
    const piece = this.#pieces.find(({ first, count }) => page < first + count)!
    this.#device.setUnmapNotify(piece.index + offset - piece.first * PAGE_SIZE, action, port)
  }
}

/** As MAP_GRANT_REF does when it is asked for too many: then nothing has been recorded. */
function isRefusal(error: unknown): boolean {
  return error instanceof GrantError && error.code === 'EINVAL' && error.syscall === 'ioctl'
}
