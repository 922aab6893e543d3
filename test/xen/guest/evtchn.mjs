import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { ioctlNumber } from '../../../dist/src/abi.js'
import { ioctl } from './raw.mjs'

const BIND_INTERDOMAIN = ioctlNumber('E', 1, 8)
const BIND_UNBOUND_PORT = ioctlNumber('E', 2, 4)
const NOTIFY = ioctlNumber('E', 4, 4)

/** /dev/xen/evtchn, enough of it to see an event arrive. */
export class Evtchn {
  #fd = openSync('/dev/xen/evtchn', constants.O_RDWR | constants.O_NONBLOCK)

  /** A new port of this domain that this domain itself may connect to. */
  unbound() {
    return this.#bind(BIND_UNBOUND_PORT, [0])
  }

  /** Connects to a port of this domain: what is sent there arrives at the port returned. */
  async connect(port) {
    const own = this.#bind(BIND_INTERDOMAIN, [0, port])
    // Binding makes the new port fire once by itself. Another port's event would not do: this one's came later, as if sent.
    const deadline = performance.now() + 1000
    while (!(await this.fired(deadline - performance.now())).includes(own))
      if (performance.now() > deadline) throw new Error(`port ${own} did not fire when it was bound`)
    return own
  }

  /** Sends an event to whoever is connected to a port of this file. */
  notify(port) {
    this.#call('sending an event', NOTIFY, [port])
  }

  /** Ports that fire within the time, once each; waits the whole time only when none does. */
  async fired(ms) {
    const deadline = performance.now() + ms
    for (;;) {
      const ports = this.drain()
      if (ports.length > 0 || performance.now() > deadline) return ports
      await sleep(1)
    }
  }

  close() {
    if (this.#fd === undefined) return
    closeSync(this.#fd)
    this.#fd = undefined
  }

  /** Reads waiting ports and unmasks them by writing them back. */
  drain() {
    const ports = new Uint32Array(64)
    let length
    try {
      length = readSync(this.#fd, ports)
    } catch (error) {
      if (error.code === 'EAGAIN') return []
      throw error
    }
    const waiting = ports.slice(0, length / 4)
    writeSync(this.#fd, waiting)
    return [...waiting]
  }

  #bind(request, fields) {
    return this.#call('binding an event channel', request, fields)
  }

  #call(what, request, fields) {
    const { result, error } = ioctl(this.#fd, request, new Uint8Array(Uint32Array.from(fields).buffer))
    if (error) throw new Error(`${what}: ${error}`)
    return result
  }
}
