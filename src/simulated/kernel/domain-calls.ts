import { constants } from 'node:os'
import { systemCallError } from '../../errors.js'
import type { Domain } from './domain.js'
import type { Domains } from './domains.js'
import { get, type Handles, type Mapped, type Session } from './session.js'

const { EINVAL, ENOSPC } = constants.errno

/** What is done to a domain, or in its name, without a file of a device of it. Each throws ESRCH when it is destroyed. */
export class DomainCalls {
  readonly #domains: Domains
  readonly #handles: Handles

  constructor(domains: Domains, handles: Handles) {
    this.#domains = domains
    this.#handles = handles
  }

  /** See GntdevDriver.mapDirectly. @throws GrantError EINVAL */
  map(session: Session, domid: number, pairs: Uint32Array, writable: boolean): Mapped {
    const { gntdev } = this.#domains.running(domid, `mapping in domain ${domid}`)
    const entries = gntdev.mapDirectly(pairs, writable)
    const frames = Uint32Array.from(entries, ({ frame }) => frame)
    return { mapping: this.#handles.enter(session.foreignMappings, { domid, entries }), frames }
  }

  /** @throws GrantError EBADF */
  unmap(session: Session, mapping: number): void {
    const { domid, entries } = get(session.foreignMappings, mapping, 'mapping of a peer')
    this.#domains.get(domid).gntdev.unmapDirectly(entries)
    session.foreignMappings.delete(mapping)
  }

  /** Of its gntalloc. A negative limit acts as a huge one, as in the driver. */
  setLimit(domid: number, limit: number): void {
    this.#running(domid).gntalloc.limit = limit
  }

  /** A port that no program has, for `events`. @throws GrantError ENOSPC */
  bindPort(domid: number): number {
    const port = this.#running(domid).channels.addForTest()
    if (port === undefined) throw systemCallError(ENOSPC, 'ioctl', `binding a port of domain ${domid}`)
    return port.number
  }

  /** Events that were sent through a port so far. @throws GrantError EINVAL */
  events(domid: number, port: number): number {
    const found = this.#running(domid).channels.get(port)
    if (found !== undefined) return found.sent
    throw systemCallError(EINVAL, 'read', `reading the events of port ${port} of domain ${domid}`)
  }

  #running(domid: number): Domain {
    return this.#domains.running(domid, `looking for domain ${domid}`)
  }
}
