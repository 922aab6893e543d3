import type { EventChannels } from './ports.js'
import type { Handles, Session } from './session.js'

/** The calls of programs with event channels. Each throws EBADF for a handle the session does not have. */
export class EventCalls {
  readonly #channels: EventChannels
  readonly #handles: Handles

  constructor(channels: EventChannels, handles: Handles) {
    this.#channels = channels
    this.#handles = handles
  }

  open(session: Session, domid: number): number {
    return this.#handles.enter(session.files, this.#channels.open(domid))
  }

  bindUnbound(session: Session, file: number, domid: number): number {
    return this.#channels.bindUnbound(session.eventFile(file), domid)
  }

  bindInterdomain(session: Session, file: number, domid: number, port: number): number {
    return this.#channels.bindInterdomain(session.eventFile(file), domid, port)
  }

  bindVirq(session: Session, file: number, virq: number): number {
    return this.#channels.bindVirq(session.eventFile(file), virq)
  }

  unbind(session: Session, file: number, port: number): void {
    this.#channels.unbind(session.eventFile(file), port)
  }

  notify(session: Session, file: number, port: number): void {
    this.#channels.notify(session.eventFile(file), port)
  }

  restrict(session: Session, file: number, domid: number): void {
    this.#channels.restrict(session.eventFile(file), domid)
  }

  read(session: Session, file: number): number[] {
    return session.eventFile(file).read()
  }

  unmask(session: Session, file: number, ports: Iterable<number>): void {
    session.eventFile(file).unmask(ports)
  }

  /** Calls `wake` when there is something to read. */
  wait(session: Session, file: number, wake: () => void): void {
    session.eventFile(file).wait(wake)
  }

  reset(session: Session, file: number): void {
    session.eventFile(file).reset()
  }
}
