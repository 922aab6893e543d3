import { constants } from 'node:os'
import { systemCallError } from '../../errors.js'
import type { Counters } from '../wire/counters.js'
import { count } from './count.js'
import type { DomainOptions } from './domain.js'
import { DomainCalls } from './domain-calls.js'
import { Domains } from './domains.js'
import { EventFiles } from './event-files.js'
import { type EventMemory, localEventMemory } from './event-memory.js'
import { EvtchnCalls } from './evtchn-calls.js'
import { FramePool, type PageMemory } from './frames.js'
import { GntallocCalls } from './gntalloc-calls.js'
import { GntdevCalls } from './gntdev-calls.js'
import { GrantCopier } from './grant-copier.js'
import { GrantFile } from './grant-file.js'
import { RESERVED_ENTRIES } from './grant-table.js'
import { MachineStore } from './machine-store.js'
import { MapFile } from './map-file.js'
import { Handles, type OpenFile, Session } from './session.js'
import { XenbusCalls } from './xenbus-calls.js'
import { XenbusFile } from './xenbus-file.js'
import type { Flavour } from './xenstore/store-rules.js'

export interface KernelOptions extends DomainOptions {
  /** Deferred pages that each domain looks at per round; 0 means all. */
  freePerIteration: number
  /** Which daemon's behaviour the xenstored has. */
  xenstored: Flavour
}

/** The simulated machine: Xen, and the kernel of each domain. A synchronous state machine without any IO of its own. */
export class Kernel {
  readonly domains: Domains
  readonly domain: DomainCalls
  readonly gntalloc: GntallocCalls
  readonly gntdev: GntdevCalls
  readonly evtchn: EvtchnCalls
  readonly xenbus: XenbusCalls
  readonly store: MachineStore
  readonly #freePerIteration: number
  readonly #frames: FramePool
  readonly #sessions = new Set<Session>()
  /** Sessions that ended with their domain, while their programs may still reach these frames. */
  readonly #held = new Map<Session, Iterable<number>>()

  /**
   * @param memory contents of granted pages
   * @param events by default nothing but this kernel can notify
   */
  constructor(
    { freePerIteration, xenstored, ...options }: KernelOptions,
    memory: PageMemory,
    events: EventMemory = localEventMemory(),
  ) {
    this.#freePerIteration = freePerIteration
    this.#frames = new FramePool(options.tableCapacity - RESERVED_ENTRIES, memory)
    const hardware = { memory, frames: this.#frames, events: new EventFiles(events) }
    this.domains = new Domains(hardware, options, (domid) => this.store.domainUsed(domid))
    this.store = new MachineStore(this.domains, xenstored)
    const handles = new Handles()
    this.domain = new DomainCalls(this.domains, handles)
    this.gntalloc = new GntallocCalls(this.domains, handles, freePerIteration)
    this.gntdev = new GntdevCalls(this.domains, new GrantCopier(this.domains, memory), handles)
    this.evtchn = new EvtchnCalls(this.domains, this.#sessions, handles)
    this.xenbus = new XenbusCalls(this.domains, this.store, this.#sessions, handles)
  }

  /** @param hangUp ends the connection of the session's programs */
  startSession(hangUp?: () => void): Session {
    const session = new Session(hangUp)
    this.#sessions.add(session)
    return session
  }

  /** What the kernel does when a process ends: mappings go first, then files, so that each notification fires once. */
  endSession(session: Session): void {
    const held = this.#held.get(session)
    if (held) this.#frames.letGo(held)
    this.#held.delete(session)
    if (!this.#sessions.delete(session)) return
    for (const mapping of [...session.foreignMappings.keys()]) this.domain.unmap(session, mapping)
    for (const mapping of session.mappings.values()) mapping.letGo()
    this.closeFiles(session)
  }

  /** Its descriptors are gone; what it has mapped stays so, until the session ends. */
  closeFiles(session: Session): void {
    for (const file of session.files.values()) this.#release(file)
    session.files.clear()
  }

  /**
   * Its programs end, what it has mapped is let go, and nobody is left to carry out the notifications it had armed. What
   * others have mapped of it they keep.
   * @throws GrantError EINVAL for domain 0
   */
  destroyDomain(domid: number): void {
    if (domid === 0) throw systemCallError(constants.errno.EINVAL, 'ioctl', 'destroying domain 0', { domid })
    const domain = this.domains.get(domid)
    if (!domain.running) return
    this.store.removeDomain(domid)
    domain.stop()
    for (const session of [...this.#sessions]) {
      for (const [handle, { domid: mapper, entries }] of session.foreignMappings) {
        if (mapper !== domid) continue
        domain.gntdev.unmapDirectly(entries)
        // Its holder may still ask to unmap it.
        session.foreignMappings.set(handle, { domid, entries: [] })
      }
      if (!session.belongsTo(domid)) continue
      // In reality its memory is gone with it. Here a process stays, which may still write there for a while.
      const { granted, mapped } = session.mappedFrames()
      const frames = [...granted, ...mapped]
      this.#frames.hold(frames)
      this.endSession(session)
      this.#held.set(session, frames)
      session.hangUp()
    }
    domain.remove()
    this.store.domainDied(domid)
  }

  /** Pages that some kernel will look at again. */
  get deferred(): number {
    let deferred = 0
    for (const { running, table } of this.domains) if (running) deferred += table.deferred
    return deferred
  }

  /** One round of each domain over its deferred pages: the kernels' timers. @returns how many were freed */
  tick(): number {
    let freed = 0
    for (const { running, table } of this.domains) if (running) freed += table.retry(this.#freePerIteration)
    return freed
  }

  /**
   * @param asking is not counted
   * @param domid counts only what is this domain's
   */
  counters(asking?: Session, domid?: number): Counters {
    const domains = domid === undefined ? this.domains : [this.domains.get(domid)]
    return { ...count(domains, this.#sessions, asking, domid), ...this.store.count(domid) }
  }

  #release(file: OpenFile): void {
    if (file instanceof GrantFile) this.gntalloc.release(file)
    else if (file instanceof MapFile) this.gntdev.release(file)
    else if (file instanceof XenbusFile) this.xenbus.release(file)
    else this.evtchn.release(file)
  }
}
