import { closeSync, openSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { PAGE_SIZE } from '../../abi.js'
import { mapZeroPages, type PageBuffer } from '../../drivers/page-buffer.js'
import { systemCallError } from '../../errors.js'
import { MappedPages } from '../kernel/mapped-pages.js'
import { memoryFiles } from '../wire/protocol.js'
import { type Access, mapFrames } from './frame-map.js'
import { type DeviceFile, untilGone } from './simulated-file.js'

interface LocalMapping {
  /** The host's name for it. */
  readonly id: number
  readonly address: number
  readonly frames: Uint32Array
  readonly access: Access
  readonly pages: MappedPages
}

/** Pages of a mapping that are side by side. */
interface Piece {
  mapping: LocalMapping
  first: number
  count: number
}

/** What one device has mapped in this process. Mappings outlive the close of their file, and the connection with them. */
export class LocalMappings {
  readonly #file: DeviceFile
  readonly #munmap: 'gntalloc.munmap' | 'gntdev.munmap'
  /** Opened by Node, which closes it when the thread ends. */
  readonly #memory: number
  /** By the host's number: a hole left by a piece of one may become the address of another. */
  readonly #mappings = new Map<number, LocalMapping>()
  /** The last one mapped at each address, which is nearly always the one that is meant. */
  readonly #latest = new Map<number, LocalMapping>()
  #finished = false

  /** @throws system errors of opening the memory; the connection is closed then */
  constructor(file: DeviceFile, kind: 'gntalloc' | 'gntdev') {
    this.#file = file
    this.#munmap = `${kind}.munmap`
    const use = kind === 'gntalloc' ? 'granted' : 'mapped'
    try {
      this.#memory = openSync(join(file.path, memoryFiles[use]), 'r+')
    } catch (error) {
      file.connection.close()
      throw error
    }
  }

  /** Maps what the host has mapped for this session. @throws GrantError */
  map(id: number, frames: Uint32Array, access: Access, over: PageBuffer): void {
    const { address } = over
    try {
      mapFrames(address, this.#memory, frames, access)
      const mapping = { id, address, frames, access, pages: new MappedPages(frames.length) }
      this.#mappings.set(id, mapping)
      this.#latest.set(address, mapping)
    } catch (error) {
      // Some of the pages may be mapped already: the host must not give away what this process still reaches.
      mapZeroPages(address, frames.length * PAGE_SIZE)
      this.#file.connection.request(this.#munmap, [], Uint32Array.of(id, 0, frames.length))
      throw error
    }
  }

  /**
   * Puts zero pages there first: once the host has freed a page it may give it to somebody else, and by then no view of
   * this process must reach it.
   * @throws GrantError
   */
  munmap(address: number, length: number): void {
    const pieces = this.#piecesOf(address, length)
    this.#file.delay()
    mapZeroPages(address, length)
    try {
      const numbers = pieces.flatMap(({ mapping, first, count }) => [mapping.id, first, count])
      untilGone(() => this.#file.connection.request(this.#munmap, [], Uint32Array.from(numbers)))
    } catch (error) {
      for (const { mapping, first, count } of pieces) this.#restore(mapping, first, count)
      throw error
    }
    for (const { mapping, first, count } of pieces) {
      mapping.pages.remove(first, count)
      if (mapping.pages.remaining > 0) continue
      this.#mappings.delete(mapping.id)
      if (this.#latest.get(mapping.address) === mapping) this.#latest.delete(mapping.address)
    }
    this.finishClosing()
  }

  /** Disconnects, once the file is closed and nothing of it is mapped. */
  finishClosing(): void {
    if (this.#finished || this.#file.isOpen || this.#mappings.size > 0) return
    this.#finished = true
    this.#file.connection.close()
    closeSync(this.#memory)
  }

  #restore({ address, frames, access }: LocalMapping, first: number, count: number): void {
    mapFrames(address + first * PAGE_SIZE, this.#memory, frames.subarray(first, first + count), access)
  }

  /**
   * What a range consists of. Only what this device has mapped may be unmapped: anything else belongs to somebody else in
   * this process.
   */
  #piecesOf(address: number, length: number): Piece[] {
    const pieces: Piece[] = []
    for (let at = address; at < address + length; ) {
      const piece = this.#pieceAt(at, (address + length - at) / PAGE_SIZE)
      if (piece === undefined) {
        const what = `unmapping ${length} bytes at 0x${address.toString(16)}, not all of which this device has mapped`
        throw systemCallError(constants.errno.EINVAL, 'munmap', what, { path: this.#file.path })
      }
      pieces.push(piece)
      at += piece.count * PAGE_SIZE
    }
    return pieces
  }

  #pieceAt(address: number, most: number): Piece | undefined {
    const within = (mapping: LocalMapping): Piece | undefined => {
      const first = (address - mapping.address) / PAGE_SIZE
      const count = Math.min(most, mapping.pages.count - first)
      const whole = Number.isInteger(first) && Number.isInteger(count)
      return whole && mapping.pages.has(first, count) ? { mapping, first, count } : undefined
    }
    const latest = this.#latest.get(address)
    const found = latest && within(latest)
    if (found) return found
    for (const mapping of this.#mappings.values()) {
      const other = within(mapping)
      if (other) return other
    }
    return undefined
  }
}
