import { constants } from 'node:os'
import type { Allocation, DeviceLimits } from '../device/seam.js'
import { systemCallError } from '../errors.js'
import { EventPorts } from './event-ports.js'
import type { PageMemory } from './frames.js'
import { type DriverOptions, GrantAllocDriver, type GrantFile, type Mapping } from './gntalloc.js'
import { type ForeignMapping, GrantMapDriver } from './gntdev.js'
import { GrantTable } from './grant-table.js'

const { EBADF, EINVAL } = constants.errno

export interface KernelOptions extends DriverOptions {
  /** Entries of the grant table; the first 8 are reserved. */
  tableCapacity: number
  /** Deferred pages looked at per round; 0 means all. */
  freePerIteration: number
  /** The domain that grants. */
  localDomid: number
}

export interface Counters {
  /** Pages granted that are still in a file or mapped by this domain. */
  grants: number
  /** The same as the driver counts it: with driverBugs each late failure takes one away. */
  pages: number
  files: number
  /** mmap calls of which a piece is left. */
  mappings: number
  /** Map requests of peers that are alive. */
  foreignMappings: number
  /** Pages given back that a peer still maps, or that wait for the kernel to look at them again. */
  deferred: number
  /** Grant table entries taken, those of deferred pages included. */
  tableUsed: number
  /** Connections, apart from the one that asks. */
  sessions: number
}

/** What one process, or one thread with its own connection, has open. Numbers stand for its things, as fds do. */
export class Session {
  readonly files = new Map<number, GrantFile>()
  readonly mappings = new Map<number, Mapping>()
  readonly foreignMappings = new Map<number, ForeignMapping>()
}

/** The simulated kernel and hypervisor: a synchronous state machine without any IO of its own. */
export class Kernel {
  readonly #options: KernelOptions
  readonly #table: GrantTable
  readonly #ports = new EventPorts()
  readonly #gntalloc: GrantAllocDriver
  readonly #gntdev: GrantMapDriver
  readonly #sessions = new Set<Session>()
  #lastHandle = 0

  constructor(options: KernelOptions, memory: PageMemory) {
    this.#options = options
    this.#table = new GrantTable(options.tableCapacity)
    this.#gntalloc = new GrantAllocDriver(this.#table, this.#ports, memory, options)
    this.#gntdev = new GrantMapDriver(this.#table, options.localDomid)
  }

  startSession(): Session {
    const session = new Session()
    this.#sessions.add(session)
    return session
  }

  /** What the kernel does when a process ends: mappings go first, then files, so that each notification fires once. */
  endSession(session: Session): void {
    if (!this.#sessions.delete(session)) return
    for (const mapping of session.foreignMappings.values()) this.#gntdev.unmap(mapping)
    for (const mapping of session.mappings.values()) this.#gntalloc.unmapAll(mapping)
    for (const file of session.files.values()) this.#gntalloc.close(file)
  }

  open(session: Session): number {
    return this.#enter(session.files, this.#gntalloc.open())
  }

  /** @throws GrantError EBADF, ENOSPC, ENOMEM */
  allocate(session: Session, file: number, domid: number, flags: number, count: number): Allocation {
    return this.#gntalloc.allocate(get(session.files, file, 'file'), domid, flags, count)
  }

  /** @throws GrantError EBADF, EINVAL */
  deallocate(session: Session, file: number, index: number, count: number): void {
    this.#gntalloc.deallocate(get(session.files, file, 'file'), index, count)
  }

  /** @throws GrantError EBADF, ENOENT, EINVAL */
  setUnmapNotify(session: Session, file: number, index: number, action: number, port: number): void {
    this.#gntalloc.setUnmapNotify(get(session.files, file, 'file'), index, action, port)
  }

  /** @returns the frames to map, one per page. @throws GrantError EBADF, EINVAL, ENOENT */
  mmap(
    session: Session,
    file: number,
    index: number,
    count: number,
  ): { mapping: number; frames: Uint32Array } {
    const mapping = this.#gntalloc.mmap(get(session.files, file, 'file'), index, count)
    const frames = Uint32Array.from(mapping.grefs, (gref) => gref.entry.frame)
    return { mapping: this.#enter(session.mappings, mapping), frames }
  }

  /** Unmaps `count` pages from page `first` of a mapping. @throws GrantError EBADF, EINVAL */
  munmap(session: Session, mapping: number, first: number, count: number): void {
    const last = this.#gntalloc.munmap(get(session.mappings, mapping, 'mapping'), first, count)
    if (last) session.mappings.delete(mapping)
  }

  /** Mappings keep their pages. @throws GrantError EBADF */
  close(session: Session, file: number): void {
    this.#gntalloc.close(get(session.files, file, 'file'))
    session.files.delete(file)
  }

  /** A peer maps grants. See GrantMapDriver.map. @throws GrantError EINVAL */
  map(
    session: Session,
    mapper: number,
    pairs: Uint32Array,
    writable: boolean,
  ): { mapping: number; frames: Uint32Array } {
    const mapping = this.#gntdev.map(mapper, pairs, writable)
    const frames = Uint32Array.from(mapping, (entry) => entry.frame)
    return { mapping: this.#enter(session.foreignMappings, mapping), frames }
  }

  /** @throws GrantError EBADF */
  unmap(session: Session, mapping: number): void {
    this.#gntdev.unmap(get(session.foreignMappings, mapping, 'mapping of a peer'))
    session.foreignMappings.delete(mapping)
  }

  bindPort(): number {
    return this.#ports.bind()
  }

  /** Events a port has got so far. @throws GrantError EINVAL */
  events(port: number): number {
    const count = this.#ports.count(port)
    if (count === undefined) throw systemCallError(EINVAL, 'read', `reading the events of port ${port}`)
    return count
  }

  /** A negative limit acts as a huge one, as in the driver. */
  setLimit(limit: number): void {
    this.#gntalloc.limit = limit
  }

  limits(): DeviceLimits {
    const { tableCapacity, freePerIteration } = this.#options
    return { limit: this.#gntalloc.limit, tableCapacity, freePerIteration }
  }

  get deferred(): number {
    return this.#table.deferred
  }

  /** One round over the deferred pages: the kernel's timer. @returns how many were freed */
  tick(): number {
    return this.#gntalloc.retryDeferred(this.#options.freePerIteration)
  }

  counters(asking?: Session): Counters {
    let files = 0
    let mappings = 0
    let sessions = 0
    for (const session of this.#sessions) {
      files += session.files.size
      mappings += session.mappings.size
      if (session !== asking) sessions++
    }
    const { grants, pages } = this.#gntalloc
    const { used: tableUsed, deferred } = this.#table
    return {
      grants,
      pages,
      files,
      mappings,
      foreignMappings: this.#gntdev.mappings,
      deferred,
      tableUsed,
      sessions,
    }
  }

  #enter<T>(things: Map<number, T>, thing: T): number {
    this.#lastHandle++
    things.set(this.#lastHandle, thing)
    return this.#lastHandle
  }
}

function get<T>(things: Map<number, T>, handle: number, kind: string): T {
  const thing = things.get(handle)
  if (thing === undefined) throw systemCallError(EBADF, 'ioctl', `no ${kind} ${handle} in this session`)
  return thing
}
