import { EventTable, tableWords } from '../wire/event-table.js'

/** What event channel files are made of. The host has shared memory and named pipes for it, a test plain arrays. */
export interface EventMemory {
  readonly table: EventTable
  /** What to do when there is no memory. */
  readonly advice?: string
  /** Files that can be open at once, see {@link EventTable}. */
  readonly files: number
  /** Makes sure that the states of a file's ports can be written to. @returns whether there is memory for them */
  reserve(file: number): boolean
  /** @param number no other ring has ever had it */
  makeRing(number: number): EventRing
}

/** Names the ports of a file that have fired, in their order. Each is in it once, so it has room for all. */
export interface EventRing {
  push(port: number): void
  /** What is in it; nothing if the program itself reads it. */
  take(): number[]
  close(): void
}

/** Enough for a kernel without programs. */
const LOCAL_FILES = 64

export function localEventMemory(): EventMemory {
  return {
    table: new EventTable(new Int32Array(tableWords(LOCAL_FILES))),
    files: LOCAL_FILES,
    reserve: () => true,
    makeRing: () => new LocalRing(),
  }
}

class LocalRing implements EventRing {
  #ports: number[] = []

  push(port: number): void {
    this.#ports.push(port)
  }

  take(): number[] {
    const ports = this.#ports
    this.#ports = []
    return ports
  }

  close(): void {}
}
