import { close, constants as fsConstants } from 'node:fs'
import type { Socket } from 'node:net'
import { constants } from 'node:os'
import { promisify } from 'node:util'
import { EvtchnPort, IOCTL_EVTCHN_NOTIFY, IOCTL_EVTCHN_RESET } from '../../abi.js'
import { type GrantError, systemCallError } from '../../errors.js'
import { write } from '../../native/libc.js'
import { evtchn } from '../catalogue.js'
import { CharDevice, type ProbeAnswer } from '../char-device.js'
import { deviceStream } from '../device-stream.js'
import type { EventLine, EventListener } from './event-device.js'

const { ENOTCONN } = constants.errno

/** The driver moves no more than a page of ports at a time. */
const PORTS_PER_CALL = 1024
const PORT_SIZE = 4

/** What the worker's half needs. */
export interface EvtchnFile {
  fd: number
  path: string
}

/** The client's half of an open /dev/xen/evtchn. It opens the file, with `fs`: Node closes it when the thread ends. */
export class EvtchnLine implements EventLine {
  readonly path: string
  readonly #file: CharDevice
  readonly #argument = new DataView(new ArrayBuffer(8))
  readonly #read = new Uint32Array(PORTS_PER_CALL)
  readonly #unmask = new Uint32Array(PORTS_PER_CALL)
  #listener: EventListener = { fired() {}, failed() {} }
  #socket: Socket | undefined
  #referenced = false

  /** @throws GrantError when `path` cannot be opened or is not the event channel device; the message says what to do. */
  constructor(path: string = evtchn.path) {
    this.path = path
    this.#file = CharDevice.open(evtchn, path, (file) => this.#probe(file), fsConstants.O_NONBLOCK)
  }

  get file(): EvtchnFile {
    return { fd: this.#file.fd, path: this.path }
  }

  start(listener: EventListener): void {
    this.#listener = listener
    this.#listen()
  }

  notify(port: number): void {
    this.#argument.setUint32(EvtchnPort.port, port, true)
    const result = this.#file.tryRequest(IOCTL_EVTCHN_NOTIFY, this.#argument)
    if (result < 0) this.#failed('notify', this.#error(-result, 'ioctl', `notifying port ${port}`), [port])
  }

  unmask(ports: readonly number[]): void {
    for (let first = 0; first < ports.length; first += PORTS_PER_CALL) {
      const count = Math.min(PORTS_PER_CALL, ports.length - first)
      for (let i = 0; i < count; i++) this.#unmask[i] = ports[first + i]!
      const result = write(this.#file.fd, this.#unmask, count * PORT_SIZE)
      if (result >= 0) continue
      const error = this.#error(-result, 'write', `unmasking ${count} event channels`)
      this.#failed('unmask', error, ports.slice(first, first + count))
    }
  }

  reset(): void {
    const result = this.#file.tryRequest(IOCTL_EVTCHN_RESET, this.#argument)
    const what = 'clearing the overflow of event channels'
    if (result < 0) this.#failed('reset', this.#error(-result, 'ioctl', what), [])
  }

  ref(): void {
    this.#referenced = true
    this.#socket?.ref()
  }

  unref(): void {
    this.#referenced = false
    this.#socket?.unref()
  }

  async close(): Promise<void> {
    const fd = this.#file.release()
    if (fd < 0) return
    this.#socket?.destroy()
    this.#socket = undefined
    // The last descriptor of the file: unbinding what is bound may sleep, so not in this thread.
    await promisify(close)(fd)
  }

  #listen(): void {
    const socket = deviceStream(this.#file.fd, new Uint8Array(this.#read.buffer), this.#fired)
    socket.on('error', (error) => this.#stopped(error))
    if (!this.#referenced) socket.unref()
    this.#socket = socket
  }

  readonly #fired = (length: number): void => {
    const ports: number[] = []
    for (let i = 0; i < length / PORT_SIZE; i++) ports.push(this.#read[i]!)
    this.#listener.fired(ports)
  }

  /** A read has failed, which ends the stream. */
  #stopped(cause: Error): void {
    if (this.#file.fd < 0) return
    // What Node makes of a failed system call, as what this package throws for one.
    const { errno } = cause as NodeJS.ErrnoException
    if (errno === undefined) throw cause
    const error = this.#error(-errno, 'read', 'reading which event channels have fired', cause)
    this.#listener.failed('read', error, [])
    if (this.#file.fd < 0) return
    try {
      this.#listen()
    } catch (error) {
      this.#listener.failed('read', error as GrantError, [])
    }
  }

  #failed(call: 'notify' | 'unmask' | 'reset', error: GrantError, ports: readonly number[]): void {
    queueMicrotask(() => this.#listener.failed(call, error, ports))
  }

  #error(errno: number, syscall: string, what: string, cause?: unknown): GrantError {
    return systemCallError(errno, syscall, what, { path: this.path, cause })
  }

  /** Port 0 is never bound: not connected, says this driver and hardly any other. */
  #probe(file: CharDevice): ProbeAnswer {
    this.#argument.setUint32(EvtchnPort.port, 0, true)
    const result = file.tryRequest(IOCTL_EVTCHN_NOTIFY, this.#argument)
    return result === -ENOTCONN ? 'expected' : Math.max(0, -result)
  }
}
