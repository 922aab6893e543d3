import { constants } from 'node:os'
import { DOMID_FIRST_RESERVED } from '../../abi.js'
import { type GrantError, systemCallError } from '../../errors.js'
import type { ChannelDirectory, EventChannels } from './event-channels.js'
import type { EventFile } from './event-file.js'
import type { EventFiles } from './event-files.js'
import type { Port } from './port.js'

const { EACCES, EEXIST, EINVAL, ENOSPC, ENOTCONN, ESRCH } = constants.errno

/** Ports that the kernel can name at all: 2^17 with the FIFO ABI. */
const NAMEABLE_PORTS = 131_072
/** NR_VIRQS of Xen. */
const VIRQS = 24

/** The evtchn driver of Linux 6.1 in one domain, its order of checks included. */
export class EvtchnDriver {
  readonly #channels: EventChannels
  readonly #others: ChannelDirectory
  readonly #files: EventFiles

  constructor(channels: EventChannels, others: ChannelDirectory, files: EventFiles) {
    this.#channels = channels
    this.#others = others
    this.#files = files
  }

  /** @throws GrantError ENFILE, ENOMEM */
  open(): EventFile {
    return this.#files.open(this.#channels.domid)
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
    const theirs = this.#others.channelsOf(domid)
    if (theirs === undefined) throw systemCallError(ESRCH, 'ioctl', what, { domid })
    const remote = theirs.get(remotePort)
    if (remote === undefined || remote.isConnected || remote.remoteDomid !== file.domid)
      throw failure(EINVAL, what)
    const port = this.#bind(file, domid, what)
    port.connect(remote)
    // Xen cannot tell whether the other side has notified before anybody was there.
    port.raise()
    return port.number
  }

  /** It never fires. @throws GrantError EACCES, EINVAL, EEXIST, ENOSPC */
  bindVirq(file: EventFile, virq: number): number {
    const what = `binding virtual interrupt ${virq}`
    if (file.restrictedTo !== undefined) throw failure(EACCES, what)
    if (virq >= VIRQS) throw failure(EINVAL, what)
    if (this.#channels.hasVirq(virq)) throw failure(EEXIST, what)
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

  /** Its program has ended without closing it. */
  abandon(file: EventFile): void {
    for (const port of file.ports.values()) port.finishSending()
    this.close(file)
  }

  close(file: EventFile): void {
    for (const port of [...file.ports.values()]) this.#unbind(file, port)
    file.close()
  }

  #bind(file: EventFile, remoteDomid: number | undefined, what: string): Port {
    const port = this.#channels.add(remoteDomid)
    if (port === undefined) throw failure(ENOSPC, what)
    port.attach(file)
    file.ports.set(port.number, port)
    return port
  }

  #unbind(file: EventFile, port: Port): void {
    file.ports.delete(port.number)
    port.detach()
    this.#channels.release(port)
  }

  #find(file: EventFile, number: number, what: string): Port {
    const port = file.ports.get(number)
    if (port === undefined) throw failure(ENOTCONN, what)
    return port
  }
}

function failure(errno: number, what: string): GrantError {
  return systemCallError(errno, 'ioctl', what)
}
