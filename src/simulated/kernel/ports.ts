import { constants } from 'node:os'
import { DOMID_FIRST_RESERVED } from '../../abi.js'
import { type GrantError, systemCallError } from '../../errors.js'
import type { Domains } from './domains.js'
import { EventFile, Port } from './event-file.js'

const { EACCES, EEXIST, EINVAL, ENOSPC, ENOTCONN } = constants.errno

/** What a toolstack lets a guest have by default (`max_event_channels`). */
const MAX_PORT = 1023
/** Ports that the kernel can name at all: 2^17 with the FIFO ABI. */
const NAMEABLE_PORTS = 131_072
/** NR_VIRQS of Xen. */
const VIRQS = 24

/** Event channels of all domains: the evtchn driver of Linux 6.1 on Xen, its order of checks included. */
export class EventChannels {
  readonly #domains = new Map<number, Map<number, Port>>()
  /** Ports bound by programs, or kept by a notification. */
  ports = 0
  readonly #existing: Domains

  constructor(existing: Domains) {
    this.#existing = existing
  }

  open(domid: number): EventFile {
    return new EventFile(domid)
  }

  /** @throws GrantError EACCES, ENOSPC */
  bindUnbound(file: EventFile, domid: number): number {
    const what = `binding a port for domain ${domid}`
    if (file.restrictedTo !== undefined) throw failure(EACCES, what)
    return this.#bind(file, domid, what).number
  }

  /** @throws GrantError EACCES, ESRCH, EINVAL, ENOSPC */
  bindInterdomain(file: EventFile, domid: number, remotePort: number): number {
    const what = `binding to port ${remotePort} of domain ${domid}`
    if (file.restrictedTo !== undefined && file.restrictedTo !== domid) throw failure(EACCES, what)
    this.#existing.mustExist(domid, what)
    const remote = this.#domains.get(domid)?.get(remotePort)
    if (remote === undefined || remote.peer !== undefined || remote.remoteDomid !== file.domid)
      throw failure(EINVAL, what)
    const port = this.#bind(file, domid, what)
    port.peer = remote
    remote.peer = port
    // Xen cannot tell whether the other side has notified before anybody was there.
    port.raise()
    return port.number
  }

  /** It never fires. @throws GrantError EACCES, EINVAL, EEXIST, ENOSPC */
  bindVirq(file: EventFile, virq: number): number {
    const what = `binding virtual interrupt ${virq}`
    if (file.restrictedTo !== undefined) throw failure(EACCES, what)
    if (virq >= VIRQS) throw failure(EINVAL, what)
    for (const port of this.#portsOf(file.domid).values()) if (port.virq === virq) throw failure(EEXIST, what)
    const port = this.#bind(file, undefined, what)
    port.virq = virq
    return port.number
  }

  /** @throws GrantError EINVAL, ENOTCONN */
  unbind(file: EventFile, number: number): void {
    if (number >= NAMEABLE_PORTS) throw failure(EINVAL, `unbinding port ${number}`)
    this.#unbind(file, this.#find(file, number, `unbinding port ${number}`))
  }

  /** @throws GrantError ENOTCONN */
  notify(file: EventFile, number: number): void {
    this.#find(file, number, `notifying port ${number}`).send()
  }

  /** @throws GrantError EACCES, EINVAL */
  restrict(file: EventFile, domid: number): void {
    const what = `restricting an event channel file to domain ${domid}`
    if (file.restrictedTo !== undefined) throw failure(EACCES, what)
    if (domid === 0 || domid >= DOMID_FIRST_RESERVED) throw failure(EINVAL, what)
    file.restrictedTo = domid
  }

  close(file: EventFile): void {
    for (const port of [...file.ports.values()]) this.#unbind(file, port)
    file.close()
  }

  /** For an unmap notification: keeps the port until `release`. @returns undefined when this domain has not bound it */
  hold(domid: number, number: number): Port | undefined {
    const port = this.#domains.get(domid)?.get(number)
    if (port !== undefined) port.users++
    return port
  }

  release(port: Port): void {
    port.users--
    if (port.users > 0) return
    this.#portsOf(port.domid).delete(port.number)
    this.ports--
    if (port.peer === undefined) return
    // Xen leaves the other end as if it had just been bound for this domain.
    port.peer.peer = undefined
    port.peer.remoteDomid = port.domid
  }

  /** A port that no program has and that is never unbound, for tests of notifications. */
  bindForTest(domid: number): number {
    return this.#add(domid, undefined, 'binding a port').number
  }

  /** Events sent through a port so far; undefined for one that is not bound. */
  sent(domid: number, number: number): number | undefined {
    return this.#domains.get(domid)?.get(number)?.sent
  }

  #bind(file: EventFile, remoteDomid: number | undefined, what: string): Port {
    const port = this.#add(file.domid, remoteDomid, what)
    port.file = file
    file.ports.set(port.number, port)
    this.ports++
    return port
  }

  #unbind(file: EventFile, port: Port): void {
    file.ports.delete(port.number)
    port.file = undefined
    this.release(port)
  }

  /** The lowest number that is free, as in Xen. */
  #add(domid: number, remoteDomid: number | undefined, what: string): Port {
    const ports = this.#portsOf(domid)
    let number = 1
    while (ports.has(number)) number++
    if (number > MAX_PORT) throw failure(ENOSPC, what)
    const port = new Port(domid, number, remoteDomid)
    ports.set(number, port)
    return port
  }

  #find(file: EventFile, number: number, what: string): Port {
    const port = file.ports.get(number)
    if (port === undefined) throw failure(ENOTCONN, what)
    return port
  }

  #portsOf(domid: number): Map<number, Port> {
    const known = this.#domains.get(domid)
    if (known !== undefined) return known
    const ports = new Map<number, Port>()
    this.#domains.set(domid, ports)
    return ports
  }
}

function failure(errno: number, what: string): GrantError {
  return systemCallError(errno, 'ioctl', what)
}
