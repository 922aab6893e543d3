import { PAGE_SIZE } from '../../abi.js'
import type { GrantName, MapDevice } from '../../drivers/gntdev/map-device.js'
import type { PageBuffer } from '../../drivers/page-buffer.js'
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

  /** Once. From low to high addresses. @throws GrantError; then what has been mapped is to be {@link release}d */
  map(names: readonly GrantName[], writable: boolean): void {
    const limit = Math.max(1, this.#device.limit() ?? DEFAULT_LIMIT)
    const { buffer, address } = this.memory
    for (let first = 0; first < names.length; first += limit) {
      const some = names.length <= limit ? names : names.slice(first, first + limit)
      const count = some.length
      const piece = { index: this.#device.map(some), first, count, mapped: false, known: true }
      this.#pieces.push(piece)
      this.#device.mmap(piece.index, count, writable, { buffer, address: address + first * PAGE_SIZE })
      piece.mapped = true
    }
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
