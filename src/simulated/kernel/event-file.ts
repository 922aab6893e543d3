import { type EventTable, firstAddress } from '../wire/event-table.js'
import type { EventRing } from './event-memory.js'
import type { Port, PortFile } from './port.js'

/** What a file has of the memory of all. */
interface FileMemory {
  readonly table: EventTable
  /** Its place in the table. */
  readonly place: number
  readonly ring: EventRing
  /** The place may be another file's. */
  free(): void
}

/** An open file of the event channel device. What its ports are is said in the table, which its program writes to as well. */
export class EventFile implements PortFile {
  readonly domid: number
  /** Its place in the table. */
  readonly place: number
  readonly ports = new Map<number, Port>()
  restrictedTo: number | undefined
  readonly #memory: FileMemory
  #open = true

  constructor(domid: number, memory: FileMemory) {
    this.domid = domid
    this.place = memory.place
    this.#memory = memory
  }

  get isOpen(): boolean {
    return this.#open
  }

  addressOf(number: number): number {
    return firstAddress(this.place) + number
  }

  bind(number: number): void {
    this.#memory.table.bind(this.addressOf(number))
  }

  unbind(number: number): void {
    this.#memory.table.unbind(this.addressOf(number))
  }

  connect(number: number, peer: number): void {
    this.#memory.table.connect(this.addressOf(number), peer)
  }

  sent(number: number): number {
    return this.#memory.table.sent(this.addressOf(number))
  }

  raise(number: number): void {
    if (this.#memory.table.raise(this.addressOf(number))) this.#memory.ring.push(number)
  }

  /** What is queued and perhaps not in the ring is put there. A port that is named twice is taken once. */
  queueAgain(number: number): void {
    if (this.#memory.table.isQueued(this.addressOf(number))) this.#memory.ring.push(number)
  }

  /** Everything that waits, unless the program reads it itself. A port that was unbound meanwhile is still named, as by the driver. */
  read(): number[] {
    return this.#memory.ring.take().filter((number) => this.#memory.table.take(this.addressOf(number)))
  }

  unmask(numbers: Iterable<number>): void {
    for (const number of numbers)
      if (this.ports.has(number) && this.#memory.table.unmask(this.addressOf(number)))
        this.#memory.ring.push(number)
  }

  /** What has not been read is lost, and its ports stay masked. */
  reset(): void {
    this.#memory.table.takeAll(this.place)
  }

  /** Its ports are unbound. */
  close(): void {
    this.#open = false
    this.#memory.table.setRing(this.place, 0)
    // What its ring has named, no ring of a later file in this place will.
    this.#memory.table.takeAll(this.place)
    this.#memory.ring.close()
    this.#memory.free()
  }
}
