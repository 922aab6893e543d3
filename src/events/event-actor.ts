import type { EventDevice } from '../device/seam.js'
import { GrantError } from '../errors.js'
import { toEnvelope } from '../protocol/envelope.js'
import type { EventReport, EventRequest } from '../protocol/messages.js'

/**
 * The owner of the event channel device. A port that has fired stays masked until the client has delivered its event
 * and says so: events meanwhile become one, and a peer that fires without end cannot flood the client.
 */
export class EventActor {
  readonly #device: EventDevice
  readonly #bound = new Set<number>()
  /** Ports whose event has been delivered and that could not be unmasked. */
  #masked: number[] = []
  #report: (report: EventReport) => void = () => {}

  constructor(device: EventDevice) {
    this.#device = device
  }

  /** @param report delivers to the client */
  start(report: (report: EventReport) => void): void {
    this.#report = report
    this.#device.onPending(() => this.#pump())
  }

  bindUnbound(domid: number): number {
    return this.#bind(this.#device.bindUnbound(domid))
  }

  bindInterdomain(domid: number, port: number): number {
    return this.#bind(this.#device.bindInterdomain(domid, port))
  }

  bindVirq(virq: number): number {
    return this.#bind(this.#device.bindVirq(virq))
  }

  #bind(port: number): number {
    this.#bound.add(port)
    return port
  }

  unbind(port: number): void {
    this.#device.unbind(port)
    this.#bound.delete(port)
  }

  restrict(domid: number): void {
    this.#device.restrict(domid)
  }

  /** What the client wants done, in one message per turn of its event loop. */
  handle({ notify, unmask }: EventRequest): void {
    const failed: { port: number; error: ReturnType<typeof toEnvelope> }[] = []
    for (const port of notify) {
      try {
        this.#device.notify(port)
      } catch (error) {
        failed.push({ port, error: toEnvelope(error) })
      }
    }
    if (failed.length > 0) this.#report({ failed })
    this.#unmask(unmask)
  }

  /** What fails is tried again, at once and then with the next: a port that stays masked never fires again. */
  #unmask(ports: number[]): void {
    this.#masked.push(...ports)
    for (let attempt = 0; attempt < 2 && this.#masked.length > 0; attempt++) {
      try {
        // One that has been unbound meanwhile is ignored by the driver.
        this.#device.unmask(this.#masked)
        this.#masked = []
      } catch (error) {
        this.#report({ lost: toEnvelope(error) })
      }
    }
  }

  #pump(): void {
    try {
      const fired = this.#read()
      if (fired.length > 0) this.#report({ fired })
    } catch (error) {
      this.#report({ lost: toEnvelope(error) })
    }
  }

  /**
   * The driver's ring has overflowed and lost count of who fired. Everybody is woken: an event too many is allowed,
   * one too few is not.
   */
  #read(): number[] {
    try {
      return this.#device.read()
    } catch (error) {
      if (!(error instanceof GrantError && error.code === 'EFBIG')) throw error
      this.#device.reset()
      return [...this.#bound]
    }
  }

  close(): void {
    this.#device.close()
  }
}
