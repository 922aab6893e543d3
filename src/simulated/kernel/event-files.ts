import { constants } from 'node:os'
import { systemCallError } from '../../errors.js'
import { EventFile } from './event-file.js'
import type { EventMemory } from './event-memory.js'

const { ENFILE, ENOMEM } = constants.errno

/** The open files of all event channel devices: their places in the memory that they share with programs. */
export class EventFiles {
  readonly #memory: EventMemory
  /** Places that have been used and given back. */
  readonly #free: number[] = []
  /** The first place is no file's. */
  #used = 1
  #lastRing = 0

  constructor(memory: EventMemory) {
    this.#memory = memory
  }

  /** @throws GrantError ENFILE, ENOMEM */
  open(domid: number): EventFile {
    const what = `opening the event channel device of domain ${domid}`
    const place = this.#free.at(-1) ?? this.#used
    if (place >= this.#memory.files) throw systemCallError(ENFILE, 'open', what, { domid })
    if (!this.#memory.reserve(place)) throw systemCallError(ENOMEM, 'open', this.#shortOf(what), { domid })
    const ring = this.#memory.makeRing(++this.#lastRing)
    if (this.#free.pop() === undefined) this.#used++
    const { table } = this.#memory
    table.setRing(place, this.#lastRing)
    return new EventFile(domid, { table, place, ring, free: () => void this.#free.push(place) })
  }

  #shortOf(what: string): string {
    return this.#memory.advice === undefined ? what : `${what}: ${this.#memory.advice}`
  }
}
