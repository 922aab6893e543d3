import { closeSync, constants as fsConstants, readSync, writeSync } from 'node:fs'
import { constants } from 'node:os'
import koffi from 'koffi'
import {
  BindInterdomain,
  BindUnboundPort,
  BindVirq,
  EvtchnPort,
  IOCTL_EVTCHN_BIND_INTERDOMAIN,
  IOCTL_EVTCHN_BIND_UNBOUND_PORT,
  IOCTL_EVTCHN_BIND_VIRQ,
  IOCTL_EVTCHN_NOTIFY,
  IOCTL_EVTCHN_RESET,
  IOCTL_EVTCHN_RESTRICT_DOMID,
  IOCTL_EVTCHN_UNBIND,
  RestrictDomid,
} from '../abi.js'
import { systemCallError } from '../errors.js'
import { openDeviceFile, wrongDevice } from './device-file.js'
import { ioctlValue } from './libc.js'
import type { XenDevice } from './open-failure.js'
import type { EventDevice } from './seam.js'

export const EVTCHN_PATH = '/dev/xen/evtchn'

const DEVICE: XenDevice = { path: EVTCHN_PATH, module: 'xen-evtchn', kind: 'the event channel device' }
const { ENOTCONN } = constants.errno

/** The driver moves no more than a page of ports at a time. */
const PORTS_PER_CALL = 1024
const PORT_SIZE = 4
const READABLE = { readable: true }

/** /dev/xen/evtchn, one open file of it. */
export class EvtchnDevice implements EventDevice {
  readonly path: string
  #fd: number
  readonly #argument = new DataView(new ArrayBuffer(8))
  readonly #argumentBytes = new Uint8Array(this.#argument.buffer)
  readonly #ports = Buffer.alloc(PORTS_PER_CALL * PORT_SIZE)
  #poll: ReturnType<typeof koffi.node.poll> | undefined
  #callback: () => void = () => {}

  /** @throws GrantError when `path` cannot be opened or is not the event channel device; the message says what to do. */
  constructor(path: string = EVTCHN_PATH) {
    this.path = path
    this.#fd = openDeviceFile(DEVICE, path, fsConstants.O_NONBLOCK, (fd) => this.#probe(fd))
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

  notify(port: number): void {
    this.#argument.setUint32(EvtchnPort.port, port, true)
    this.#request(IOCTL_EVTCHN_NOTIFY, `notifying port ${port}`)
  }

  restrict(domid: number): void {
    this.#argument.setUint16(RestrictDomid.domid, domid, true)
    this.#request(IOCTL_EVTCHN_RESTRICT_DOMID, `restricting ${this.path} to domain ${domid}`, domid)
  }

  read(): number[] {
    let length: number
    try {
      length = readSync(this.#fd, this.#ports)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return []
      throw this.#failure(error, 'read', 'reading which event channels have fired')
    }
    const ports: number[] = []
    for (let at = 0; at < length; at += PORT_SIZE) ports.push(this.#ports.readUInt32LE(at))
    return ports
  }

  unmask(ports: readonly number[]): void {
    for (let first = 0; first < ports.length; first += PORTS_PER_CALL) {
      const part = ports.slice(first, first + PORTS_PER_CALL)
      for (const [i, port] of part.entries()) this.#ports.writeUInt32LE(port, i * PORT_SIZE)
      try {
        writeSync(this.#fd, this.#ports, 0, part.length * PORT_SIZE)
      } catch (error) {
        throw this.#failure(error, 'write', `unmasking ${part.length} event channels`)
      }
    }
  }

  reset(): void {
    this.#request(IOCTL_EVTCHN_RESET, 'clearing the overflow of event channels')
    // The error has stopped the polling.
    this.#startPolling()
  }

  onPending(callback: () => void): void {
    this.#callback = callback
    if (this.#poll) return
    this.#poll = koffi.node.poll(this.#fd, READABLE, this.#pending)
    this.#poll.unref()
  }

  close(): void {
    if (this.#fd < 0) return
    // Before the descriptor: its number may belong to another file as soon as it is closed.
    this.#poll?.close()
    this.#poll = undefined
    const fd = this.#fd
    this.#fd = -1
    closeSync(fd)
  }

  /** Also on an error, which for this device is an overflow: `read` says so. */
  readonly #pending = (): void => this.#callback()

  #startPolling(): void {
    this.#poll?.start(READABLE, this.#pending)
  }

  /** @returns the result of the ioctl, which for binding is the port */
  #request(request: number, what: string, domid?: number): number {
    const result = ioctlValue(this.#fd, request, this.#argumentBytes)
    if (result >= 0) return result
    const fields = domid === undefined ? { path: this.path } : { path: this.path, domid }
    throw systemCallError(-result, 'ioctl', what, fields)
  }

  /** What Node throws for a system call, as what this package throws for one. */
  #failure(error: unknown, syscall: string, what: string): unknown {
    const { errno } = error as NodeJS.ErrnoException
    if (errno === undefined) return error
    return systemCallError(-errno, syscall, what, { path: this.path, cause: error })
  }

  /** Port 0 is never bound: not connected, says this driver and hardly any other. */
  #probe(fd: number): void {
    this.#argument.setUint32(EvtchnPort.port, 0, true)
    const result = ioctlValue(fd, IOCTL_EVTCHN_NOTIFY, this.#argumentBytes)
    if (result !== -ENOTCONN) throw wrongDevice(DEVICE, this.path, Math.max(0, -result))
  }
}

/** The way in of EventChannels, see EventDeviceModule. */
export function openEventDevice(options: unknown): EventDevice {
  return new EvtchnDevice((options as { path?: string } | undefined)?.path)
}
