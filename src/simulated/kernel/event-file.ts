import { OneWaiter } from './one-waiter.js'
import type { Port } from './port.js'

/** An open file of the event channel device. */
export class EventFile {
  readonly domid: number
  readonly ports = new Map<number, Port>()
  restrictedTo: number | undefined
  /** Ports that have fired and have not been read. A masked port does not fire, so this never overflows. */
  #ring: number[] = []
  readonly #waiter = new OneWaiter()
  #open = true

  constructor(domid: number) {
    this.domid = domid
  }

  get isOpen(): boolean {
    return this.#open
  }

  push(number: number): void {
    this.#ring.push(number)
    this.#waiter.wake()
  }

  /** Everything that waits. A port that was unbound meanwhile is still named, as by the driver. */
  read(): number[] {
    const fired = this.#ring
    this.#ring = []
    return fired
  }

  unmask(numbers: Iterable<number>): void {
    for (const number of numbers) this.ports.get(number)?.unmask()
  }

  /** What has not been read is lost, and its ports stay masked. */
  reset(): void {
    this.#ring = []
  }

  /** See {@link OneWaiter}. */
  wait(wake: () => void): void {
    this.#waiter.wait(wake, this.#ring.length > 0)
  }

  close(): void {
    this.#open = false
    this.#waiter.forget()
  }
}
