import { Port } from './port.js'

/** What a toolstack lets a guest have by default (`max_event_channels`). */
const MAX_PORT = 1023

/** Finds the event channels of a domain. */
export interface ChannelDirectory {
  /** @returns undefined if Xen knows no such domain (any more). One that has been destroyed and lingers has no ports */
  channelsOf(domid: number): EventChannels | undefined
}

/** The event channels of one domain, as Xen keeps them. */
export class EventChannels {
  readonly domid: number
  readonly #ports = new Map<number, Port>()
  /** Ports bound by programs, or kept by a notification. */
  bound = 0

  constructor(domid: number) {
    this.domid = domid
  }

  get(number: number): Port | undefined {
    return this.#ports.get(number)
  }

  hasVirq(virq: number): boolean {
    for (const port of this.#ports.values()) if (port.virq === virq) return true
    return false
  }

  /**
   * A port with the lowest number that is free.
   * @param remoteDomid who may bind to it
   * @returns undefined when all are taken
   */
  add(remoteDomid: number | undefined): Port | undefined {
    const port = this.#add(remoteDomid)
    if (port !== undefined) this.bound++
    return port
  }

  /** A port that no program has and that is never unbound, for tests of notifications. */
  addForTest(): Port | undefined {
    return this.#add(undefined)
  }

  /** For an unmap notification: keeps the port until `release`. @returns undefined when this domain has not bound it */
  hold(number: number): Port | undefined {
    const port = this.#ports.get(number)
    if (port !== undefined) port.users++
    return port
  }

  release(port: Port): void {
    port.users--
    if (port.users > 0) return
    this.bound--
    this.#close(port)
  }

  /** The domain has been destroyed. */
  closeAll(): void {
    for (const port of this.#ports.values()) this.#close(port)
    this.bound = 0
  }

  #add(remoteDomid: number | undefined): Port | undefined {
    let number = 1
    while (this.#ports.has(number)) number++
    if (number > MAX_PORT) return undefined
    const port = new Port(this.domid, number, remoteDomid)
    this.#ports.set(number, port)
    return port
  }

  #close(port: Port): void {
    this.#ports.delete(port.number)
    port.detach()
    port.disconnect()
  }
}
