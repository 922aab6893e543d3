import { constants } from 'node:os'
import { systemCallError } from '../../errors.js'
import type { Domains } from './domains.js'
import { EventFile } from './event-file.js'
import type { EvtchnDriver } from './evtchn.js'
import type { Handles, Session } from './session.js'

/** The calls of programs with event channels. Each throws EBADF for a handle the session does not have. */
export class EvtchnCalls {
  readonly #domains: Domains
  readonly #sessions: Iterable<Session>
  readonly #handles: Handles

  /** @param sessions all that there are */
  constructor(domains: Domains, sessions: Iterable<Session>, handles: Handles) {
    this.#domains = domains
    this.#sessions = sessions
    this.#handles = handles
  }

  /** @throws GrantError ESRCH, ENFILE, ENOMEM */
  open(session: Session, domid: number): number {
    const domain = this.#domains.running(domid, `opening the event channel device of domain ${domid}`)
    return this.#handles.enter(session.files, domain.evtchn.open())
  }

  /** Where its ports are in the table of all. */
  placeOf(session: Session, handle: number): number {
    return session.eventFile(handle).place
  }

  /** A file of whatever session, for another half of the same program. */
  join(session: Session, handle: number): void {
    for (const { files } of this.#sessions) {
      const file = files.get(handle)
      if (!(file instanceof EventFile)) continue
      session.joined.set(handle, file)
      return
    }
    throw systemCallError(constants.errno.EBADF, 'open', `joining file ${handle}, which is not open`)
  }

  bindUnbound(session: Session, handle: number, domid: number): number {
    const file = session.eventFile(handle)
    return this.#driverOf(file).bindUnbound(file, domid)
  }

  bindInterdomain(session: Session, handle: number, domid: number, port: number): number {
    const file = session.eventFile(handle)
    return this.#driverOf(file).bindInterdomain(file, domid, port)
  }

  bindVirq(session: Session, handle: number, virq: number): number {
    const file = session.eventFile(handle)
    return this.#driverOf(file).bindVirq(file, virq)
  }

  unbind(session: Session, handle: number, port: number): void {
    const file = session.eventFile(handle)
    this.#driverOf(file).unbind(file, port)
  }

  notify(session: Session, handle: number, port: number): void {
    const file = session.eventFile(handle)
    this.#driverOf(file).notify(file, port)
  }

  restrict(session: Session, handle: number, domid: number): void {
    const file = session.eventFile(handle)
    this.#driverOf(file).restrict(file, domid)
  }

  read(session: Session, handle: number): number[] {
    return session.eventFile(handle).read()
  }

  unmask(session: Session, handle: number, ports: Iterable<number>): void {
    session.eventFile(handle).unmask(ports)
  }

  reset(session: Session, handle: number): void {
    session.eventFile(handle).reset()
  }

  /** For a session that has joined the file: it only lets go of it. */
  close(session: Session, handle: number): void {
    if (session.joined.delete(handle)) return
    const file = session.eventFile(handle)
    this.#driverOf(file).close(file)
    session.files.delete(handle)
  }

  /** A file has lost its last descriptor with the end of its program. */
  release(file: EventFile): void {
    this.#driverOf(file).abandon(file)
  }

  #driverOf({ domid }: EventFile): EvtchnDriver {
    return this.#domains.get(domid).evtchn
  }
}
