import type { Buffer } from 'node:buffer'
import { keepFreed } from '../memory/keep-freed.js'
import { received } from '../memory/received.js'
import type { VchanEnd } from './end.js'
import { Notify } from './layout.js'
import { Turn } from './turn.js'

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
    keepFreed()
  }

  /** The consumer wants more. @throws GrantError ERR_GRANTS_PROTOCOL */
  want(): void {
    this.#wanted = true
    this.read()
  }

  /** Takes what is wanted and there. Then the other end knows that it is to say when more is. @throws GrantError ERR_GRANTS_PROTOCOL */
  read(): void {
    this.#alone(() => this.#read())
  }

  /** Who takes a chunk may ask for the next one at once. */
  #alone(work: () => void): void {
    if (this.#reading) return
    this.#reading = true
    try {
      work()
    } finally {
      this.#reading = false
    }
  }

  #read(): void {
    const { reader } = this.#end
    const turn = new Turn()
    while (this.#wanted && !this.#stopped) {
      const ready = reader.ready()
      if (ready === 0) {
        this.#publish()
        this.#end.ask(Notify.written)
        if (reader.ready() === 0) return
      } else if (turn.over) {
        this.#consumer.later()
        break
      } else {
        const count = Math.min(ready, CHUNK_BYTES)
        turn.spend(count)
        // By what is asked for meanwhile it is wanted as well.
        this.#wanted = false
        if (this.#push(count)) this.#wanted = true
        // A writer that waits is woken by the first byte it gets room for: little room would make for little writes.
        if (reader.unpublished >= reader.size / 2) this.#publish()
      }
    }
    this.#publish()
  }

  /**
   * All that is there, wanted or not: the other end has gone, or this one is about to. What is written from now on is not
   * waited for.
   * @throws GrantError ERR_GRANTS_PROTOCOL
   */
  drain(): void {
    this.#alone(() => this.#drain())
  }

  #drain(): void {
    for (let ready = this.#end.reader.ready(); ready > 0 && !this.#stopped; ) {
      const count = Math.min(ready, CHUNK_BYTES)
      this.#push(count)
      ready -= count
    }
    this.#publish()
  }

  #push(count: number): boolean {
    received(count)
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
