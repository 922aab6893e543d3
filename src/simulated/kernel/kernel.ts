import { constants } from 'node:os'
import type { Allocation, DeviceLimits } from '../../drivers/gntalloc/grant-device.js'
import { systemCallError } from '../../errors.js'
import type { Counters } from '../wire/counters.js'
import { Domains } from './domains.js'
import { EventCalls } from './event-calls.js'
import { EventFile } from './event-file.js'
import { type DriverOptions, GrantAllocDriver, GrantFile } from './gntalloc.js'
import { GrantMapDriver } from './gntdev.js'
import { type CopyMemory, GrantCopier } from './grant-copier.js'
import { GrantTable } from './grant-table.js'
import { MapCalls } from './map-calls.js'
import { MapFile } from './map-file.js'
import { EventChannels } from './ports.js'
import { get, Handles, type Mapped, type OpenFile, Session } from './session.js'

const { EBADF, EINVAL } = constants.errno

export interface KernelOptions extends DriverOptions {
  /** Entries of the grant table; the first 8 are reserved. */
  tableCapacity: number
  /** Deferred pages looked at per round; 0 means all. */
  freePerIteration: number
  /** The domain that grants. */
  localDomid: number
  /** See {@link GrantMapDriver}. */
  paravirtualised: boolean
}

/** The simulated kernel and hypervisor: a synchronous state machine without any IO of its own. */
export class Kernel {
  readonly #options: KernelOptions
  readonly #table: GrantTable
  readonly domains = new Domains()
  readonly #channels = new EventChannels(this.domains)
  readonly #gntalloc: GrantAllocDriver
  readonly #gntdev: GrantMapDriver
  readonly #sessions = new Set<Session>()
  readonly #handles = new Handles()
  /** The calls of the other two devices. */
  readonly mapCalls: MapCalls
  readonly eventCalls: EventCalls

  constructor(options: KernelOptions, memory: CopyMemory) {
    this.#options = options
    const { localDomid, tableCapacity, paravirtualised } = options
    this.#table = new GrantTable(tableCapacity)
    this.#gntalloc = new GrantAllocDriver(this.#table, localDomid, this.#channels, memory, options)
    this.#gntdev = new GrantMapDriver(this.#table, localDomid, this.#channels, memory, paravirtualised)
    const copier = new GrantCopier(this.#table, localDomid, memory)
    this.mapCalls = new MapCalls(this.#gntdev, copier, this.#handles)
    this.eventCalls = new EventCalls(this.#channels, this.#handles)
  }

  /** @param hangUp ends the connection of the session's programs */
  startSession(hangUp?: () => void): Session {
    const session = new Session(hangUp)
    this.#sessions.add(session)
    return session
  }

  /** What the kernel does when a process ends: mappings go first, then files, so that each notification fires once. */
  endSession(session: Session): void {
    if (!this.#sessions.delete(session)) return
    for (const mapping of session.foreignMappings.values()) this.#gntdev.unmapDirectly(mapping)
    for (const mapping of session.mappings.values()) mapping.letGo()
    this.closeFiles(session)
  }

  /** Its descriptors are gone; what it has mapped stays so, until the session ends. */
  closeFiles(session: Session): void {
    for (const file of session.files.values()) this.#closeFile(file)
    session.files.clear()
  }

  /** What it maps is let go, and nobody is left to carry out the notifications it had armed. */
  destroyDomain(domid: number): void {
    this.domains.destroy(domid)
    for (const session of [...this.#sessions]) {
      for (const [handle, mapping] of session.foreignMappings) {
        if (mapping[0]?.domid !== domid) continue
        this.#gntdev.unmapDirectly(mapping)
        // Its holder may still ask to unmap it.
        session.foreignMappings.set(handle, [])
      }
      const files = [...session.files.values()].filter(
        (file) => !(file instanceof GrantFile) && file.domid === domid,
      )
      if (files.length === 0) continue
      for (const file of files) if (file instanceof MapFile) file.silenced = true
      this.endSession(session)
      session.hangUp()
    }
  }

  open(session: Session): number {
    return this.#handles.enter(session.files, this.#gntalloc.open())
  }

  /** @throws GrantError EBADF, ENOSPC, ENOMEM */
  allocate(session: Session, file: number, domid: number, flags: number, count: number): Allocation {
    return this.#gntalloc.allocate(session.grantFile(file), domid, flags, count)
  }

  /** @throws GrantError EBADF, EINVAL */
  deallocate(session: Session, file: number, index: number, count: number): void {
    this.#gntalloc.deallocate(session.grantFile(file), index, count)
  }

  /** @throws GrantError EBADF, ENOENT, EINVAL */
  setUnmapNotify(session: Session, file: number, index: number, action: number, port: number): void {
    this.#gntalloc.setUnmapNotify(session.grantFile(file), index, action, port)
  }

  /** @returns the frames to map, one per page. @throws GrantError EBADF, EINVAL, ENOENT */
  mmap(session: Session, file: number, index: number, count: number): Mapped {
    const mapping = this.#gntalloc.mmap(session.grantFile(file), index, count)
    const frames = Uint32Array.from(mapping.grefs, (gref) => gref.entry.frame)
    const letGo = () => this.#gntalloc.munmap(mapping)
    const entered = this.#handles.enter(session.mappings, {
      pages: mapping.pages,
      foreign: false,
      frames,
      letGo,
    })
    return { mapping: entered, frames }
  }

  /** Unmaps `count` pages from page `first` of a mapping, of either device. @throws GrantError EBADF, EINVAL */
  munmap(session: Session, mapping: number, first: number, count: number): void {
    session.munmap(mapping, first, count)
  }

  /** A peer maps without a file. See GrantMapDriver.mapDirectly. @throws GrantError EINVAL */
  map(session: Session, mapper: number, pairs: Uint32Array, writable: boolean): Mapped {
    const mapping = this.#gntdev.mapDirectly(mapper, pairs, writable)
    const frames = Uint32Array.from(mapping, (entry) => entry.frame)
    return { mapping: this.#handles.enter(session.foreignMappings, mapping), frames }
  }

  /** @throws GrantError EBADF */
  unmap(session: Session, mapping: number): void {
    this.#gntdev.unmapDirectly(get(session.foreignMappings, mapping, 'mapping of a peer'))
    session.foreignMappings.delete(mapping)
  }

  /** Mappings keep their pages. For a file of any device. @throws GrantError EBADF */
  close(session: Session, handle: number): void {
    if (session.joined.delete(handle)) return
    this.#closeFile(get(session.files, handle, 'file'))
    session.files.delete(handle)
  }

  #closeFile(file: OpenFile): void {
    if (file instanceof GrantFile) this.#gntalloc.close(file)
    else if (file instanceof MapFile) this.#gntdev.close(file)
    else this.#channels.close(file)
  }

  /** An event channel file of whatever session, for another half of the same program. @throws GrantError EBADF */
  joinEvents(session: Session, handle: number): void {
    for (const { files } of this.#sessions) {
      const file = files.get(handle)
      if (!(file instanceof EventFile)) continue
      session.joined.set(handle, file)
      return
    }
    throw systemCallError(EBADF, 'open', `joining file ${handle}, which is not open`)
  }

  /** In the local domain, as for `events`. */
  bindPort(): number {
    return this.#channels.bindForTest(this.#options.localDomid)
  }

  /** Events a port has got so far. @throws GrantError EINVAL */
  events(port: number): number {
    const count = this.#channels.sent(this.#options.localDomid, port)
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
      for (const { foreign } of session.mappings.values()) if (!foreign) mappings++
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
      maps: this.#gntdev.maps,
      ports: this.#channels.ports,
      deferred,
      tableUsed,
      sessions,
    }
  }
}
