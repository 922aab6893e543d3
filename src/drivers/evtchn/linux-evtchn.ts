import {
  BindInterdomain,
  BindUnboundPort,
  BindVirq,
  EvtchnPort,
  IOCTL_EVTCHN_BIND_INTERDOMAIN,
  IOCTL_EVTCHN_BIND_UNBOUND_PORT,
  IOCTL_EVTCHN_BIND_VIRQ,
  IOCTL_EVTCHN_RESTRICT_DOMID,
  IOCTL_EVTCHN_UNBIND,
  RestrictDomid,
} from '../../abi.js'
import { CharDevice } from '../char-device.js'
import type { EventDevice, EventLine } from './event-device.js'
import { type EvtchnFile, EvtchnLine } from './linux-event-line.js'

/**
 * The worker's half of an open /dev/xen/evtchn. The descriptor is the client's thread's, which closes it only after this
 * thread has ended; when that thread ends by itself, Node ends this one before it closes what that one had open.
 */
export class EvtchnDevice implements EventDevice {
  readonly path: string
  readonly #file: CharDevice
  readonly #argument = new DataView(new ArrayBuffer(8))

  constructor({ fd, path }: EvtchnFile) {
    this.path = path
    this.#file = new CharDevice(path, fd)
  }

  bindUnbound(domid: number): number {
    this.#argument.setUint32(BindUnboundPort.remoteDomain, domid, true)
    return this.#request(IOCTL_EVTCHN_BIND_UNBOUND_PORT, `binding a port for domain ${domid}`, domid)
  }

  bindInterdomain(domid: number, remotePort: number): number {
    this.#argument.setUint32(BindInterdomain.remoteDomain, domid, true)
    this.#argument.setUint32(BindInterdomain.remotePort, remotePort, true)
    const what = `binding to port ${remotePort} of domain ${domid}`
    return this.#request(IOCTL_EVTCHN_BIND_INTERDOMAIN, what, domid)
  }

  bindVirq(virq: number): number {
    this.#argument.setUint32(BindVirq.virq, virq, true)
    return this.#request(IOCTL_EVTCHN_BIND_VIRQ, `binding virtual interrupt ${virq}`)
  }

  unbind(port: number): void {
    this.#argument.setUint32(EvtchnPort.port, port, true)
    this.#request(IOCTL_EVTCHN_UNBIND, `unbinding port ${port}`)
  }

  restrict(domid: number): void {
    this.#argument.setUint16(RestrictDomid.domid, domid, true)
    this.#request(IOCTL_EVTCHN_RESTRICT_DOMID, `restricting ${this.path} to domain ${domid}`, domid)
  }

  close(): void {}

  /** @returns the result of the ioctl, which for binding is the port */
  #request(request: number, what: string, domid?: number): number {
    return this.#file.request(request, this.#argument, what, domid === undefined ? {} : { domid })
  }
}

/** The way in of EventChannels, see EventDeviceModule. */
export function openEventLine(options: unknown): EventLine {
  return new EvtchnLine((options as { path?: string } | undefined)?.path)
}

export function joinEventDevice(file: unknown): EventDevice {
  return new EvtchnDevice(file as EvtchnFile)
}
