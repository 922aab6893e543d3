import { constants } from 'node:os'
import { systemCallError } from '../../errors.js'
import type { MemoryUse } from '../wire/protocol.js'
import { EventFile } from './event-file.js'
import type { ForeignMapping } from './gntdev.js'
import { GrantFile } from './grant-file.js'
import { MapFile } from './map-file.js'
import type { MappedPages } from './mapped-pages.js'
import { XenbusFile } from './xenbus-file.js'

const { EBADF, EINVAL } = constants.errno

export type OpenFile = GrantFile | MapFile | EventFile | XenbusFile

/** An mmap of which a piece is left. */
export interface OpenMapping {
  readonly pages: MappedPages
  /** What it maps: also when that is closed. */
  readonly file: GrantFile | MapFile
  /** One per page. */
  readonly frames: Uint32Array
  /** The last piece has gone. */
  letGo(): void
}

/** A mapping just made: its number, and the frames to map, one per page. */
export interface Mapped {
  mapping: number
  frames: Uint32Array
}

/** What one process, or one thread with its own connection, has open. Numbers stand for its things, as fds do. */
export class Session {
  readonly files = new Map<number, OpenFile>()
  /** Files of other sessions that this one uses too. */
  readonly joined = new Map<number, EventFile | XenbusFile>()
  readonly mappings = new Map<number, OpenMapping>()
  /** Of domains that map without a file, see SimulatedDomain. */
  readonly foreignMappings = new Map<number, { domid: number; entries: ForeignMapping }>()
  /** The process at the other end, once it has said so. */
  process: number | undefined
  readonly #hangUp: () => void

  /** @param hangUp ends the connection behind it */
  constructor(hangUp: () => void = () => {}) {
    this.#hangUp = hangUp
  }

  hangUp(): void {
    this.#hangUp()
  }

  /** Whether it is a program of this domain: one that has opened a device of it. */
  belongsTo(domid: number): boolean {
    for (const file of this.files.values()) if (file.domid === domid) return true
    for (const file of this.joined.values()) if (file.domid === domid) return true
    for (const { file } of this.mappings.values()) if (file.domid === domid) return true
    return false
  }

  /** The frames of everything it has mapped. */
  mappedFrames(): Record<MemoryUse, ReadonlySet<number>> {
    const granted = new Set<number>()
    const mapped = new Set<number>()
    const peers = new Set<number>()
    for (const { file, frames } of this.mappings.values())
      for (const frame of frames) (file instanceof MapFile ? mapped : granted).add(frame)
    for (const { entries } of this.foreignMappings.values()) for (const { frame } of entries) peers.add(frame)
    return { granted, mapped, peers }
  }

  /** @throws GrantError EBADF */
  grantFile(handle: number): GrantFile {
    return fileOf(this.files, handle, GrantFile)
  }

  /** @throws GrantError EBADF */
  mapFile(handle: number): MapFile {
    return fileOf(this.files, handle, MapFile)
  }

  /** @throws GrantError EBADF */
  eventFile(handle: number): EventFile {
    return this.#joined(handle, EventFile) ?? fileOf(this.files, handle, EventFile)
  }

  /** @throws GrantError EBADF */
  xenbusFile(handle: number): XenbusFile {
    return this.#joined(handle, XenbusFile) ?? fileOf(this.files, handle, XenbusFile)
  }

  /** Unmaps `count` pages from page `first` of a mapping. @throws GrantError EBADF, EINVAL */
  munmap(handle: number, first: number, count: number): void {
    const { pages, letGo } = get(this.mappings, handle, 'mapping')
    if (!pages.has(first, count))
      throw systemCallError(EINVAL, 'munmap', `unmapping ${count} pages from page ${first} of a mapping`)
    pages.remove(first, count)
    if (pages.remaining > 0) return
    this.mappings.delete(handle)
    letGo()
  }

  #joined<T extends EventFile | XenbusFile>(
    handle: number,
    kind: new (...args: never[]) => T,
  ): T | undefined {
    const file = this.joined.get(handle)
    return file instanceof kind && file.isOpen ? file : undefined
  }
}

/** Gives out the numbers, no two alike over all sessions. */
export class Handles {
  #last = 0

  enter<T>(things: Map<number, T>, thing: T): number {
    this.#last++
    things.set(this.#last, thing)
    return this.#last
  }
}

/** @throws GrantError EBADF */
export function get<T>(things: Map<number, T>, handle: number, kind: string): T {
  const thing = things.get(handle)
  if (thing === undefined) throw systemCallError(EBADF, 'ioctl', `no ${kind} ${handle} in this session`)
  return thing
}

function fileOf<T extends OpenFile>(
  files: Map<number, OpenFile>,
  handle: number,
  kind: new (...args: never[]) => T,
): T {
  const file = get(files, handle, 'file')
  if (!(file instanceof kind)) throw systemCallError(EBADF, 'ioctl', `file ${handle} is of another device`)
  return file
}
