import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { PAGE_SIZE } from '../abi.js'
import { munmap } from '../device/libc.js'
import { detach, viewOf } from '../memory/view.js'
import { mapFrames } from './frame-map.js'
import { files } from './protocol.js'

/** The granter's memory, as a peer in this process gets to see it. A module of its own because it needs koffi. */
export class PeerMemory {
  readonly #fd: number
  /** What is mapped, with its length: a detached view no longer knows. */
  readonly #mapped = new Map<Uint8Array, { address: number; length: number }>()

  /** @param path the directory of the simulated Xen */
  constructor(path: string) {
    this.#fd = openSync(join(path, files.memory), 'r+')
  }

  /** @returns a view over the frames in their order. @throws GrantError */
  map(frames: Uint32Array, writable: boolean): Uint8Array<ArrayBuffer> {
    const length = frames.length * PAGE_SIZE
    const address = mapFrames(this.#fd, frames, writable ? 'shared' : 'private')
    const bytes = viewOf(address, length)
    this.#mapped.set(bytes, { address, length })
    return bytes
  }

  /** Empties the view, then unmaps its memory. Once is enough, again is harmless. */
  unmap(bytes: Uint8Array): void {
    const mapped = this.#mapped.get(bytes)
    if (mapped === undefined) return
    this.#mapped.delete(bytes)
    detach(bytes)
    munmap(mapped.address, mapped.length)
  }

  close(): void {
    for (const bytes of [...this.#mapped.keys()]) this.unmap(bytes)
    closeSync(this.#fd)
  }
}
