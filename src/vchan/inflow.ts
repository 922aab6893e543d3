import type { Buffer } from 'node:buffer'
import type { VchanEnd } from './end.js'
import { Notify } from './layout.js'

/** The most that one look takes out of a ring before others of this thread have their turn. */
const TURN_BYTES = 1 << 20
/** The most that one chunk has. */
export const CHUNK_BYTES = 64 << 10

/** Who gets what has arrived. */
export interface Consumer {
  /** @returns whether more is wanted at once */
  push(chunk: Buffer): boolean
  /** The other end wants to be woken. */
  notify(): void
  /** Calls `read` again, in a turn of its own. */
  later(): void
}

/** From the ring to a consumer that does not always want more. */
export class Inflow {
  readonly #end: VchanEnd
  readonly #consumer: Consumer
  #wanted = false
  #reading = false
  #stopped = false
  /** Bytes taken. */
  bytes = 0

  constructor(end: VchanEnd, consumer: Consumer) {
    this.#end = end
    this.#consumer = consumer
  }

  /** The consumer wants more. @throws GrantError ERR_GRANTS_PROTOCOL */
  want(): void {
    this.#wanted = true
    this.read()
  }

  /** Takes what is wanted and there. Then the other end knows that it is to say when more is. @throws GrantError ERR_GRANTS_PROTOCOL */
  read(): void {
    // Who takes a chunk may ask for the next one at once.
    if (this.#reading) return
    this.#reading = true
    try {
      this.#read()
    } finally {
      this.#reading = false
    }
  }

  #read(): void {
    const { reader } = this.#end
    let left = TURN_BYTES
    while (this.#wanted && !this.#stopped) {
      const ready = reader.ready()
      if (ready === 0) {
        this.#publish()
        this.#end.ask(Notify.written)
        if (reader.ready() === 0) return
      } else if (left <= 0) {
        this.#consumer.later()
        break
      } else {
        const count = Math.min(ready, CHUNK_BYTES)
        left -= count
        this.#wanted = this.#push(count)
        // A writer that waits is woken by the first byte it gets room for: little room would make for little writes.
        if (reader.unpublished >= reader.size / 2) this.#publish()
      }
    }
    this.#publish()
  }

  /**
   * All that is left, wanted or not: the other end has gone, or this one is about to. That is one ring at most, since no room is
   * given back meanwhile.
   * @throws GrantError ERR_GRANTS_PROTOCOL
   */
  drain(): void {
    const { reader } = this.#end
    for (let ready = reader.ready(); ready > 0 && !this.#stopped; ready = reader.ready())
      this.#push(Math.min(ready, CHUNK_BYTES))
    this.#publish()
  }

  #push(count: number): boolean {
    const chunk = this.#end.reader.take(count)
    this.bytes += count
    return this.#consumer.push(chunk)
  }

  /** The memory is not touched any more. */
  stop(): void {
    this.#stopped = true
  }

  #publish(): void {
    if (!this.#stopped && this.#end.reader.publish() && this.#end.owes(Notify.read)) this.#consumer.notify()
  }
}
