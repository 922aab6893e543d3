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
  /** Calls `read`, in a turn of its own. */
  later(): void
}

/** From the ring to a consumer that does not always want more. */
export class Inflow {
  readonly #end: VchanEnd
  readonly #consumer: Consumer
  #wanted = false
  #reading = false
  /** The other end has been asked to say when there is something, and nobody has looked since. */
  #asked = false
  #stopped = false
  /** See {@link bytes}. A field that outgrew 31 bits would make V8 throw away what it has compiled. */
  readonly #bytes = new Float64Array(1)

  constructor(end: VchanEnd, consumer: Consumer) {
    this.#end = end
    this.#consumer = consumer
    keepFreed()
  }

  /** Bytes taken. */
  get bytes(): number {
    return this.#bytes[0]!
  }

  /**
   * The consumer wants more. What is there already comes in a turn of its own: a stream that is given it while it asks puts it
   * into its buffer first, and asks again, so that nobody else would have a turn while the other end is faster.
   * @throws GrantError ERR_GRANTS_PROTOCOL
   */
  want(): void {
    this.#wanted = true
    if (!this.#reading && !this.#asked && this.#readyOrAsked() > 0) this.#consumer.later()
  }

  /** Takes what is wanted and there. Then the other end knows that it is to say when more is. @throws GrantError ERR_GRANTS_PROTOCOL */
  read(): void {
    this.#alone(false)
  }

  /** Who takes a chunk may ask for the next one at once. */
  #alone(all: boolean): void {
    if (this.#reading) return
    this.#reading = true
    try {
      if (all) this.#drain()
      else this.#read()
    } finally {
      this.#reading = false
    }
  }

  #read(): void {
    this.#asked = false
    const { reader } = this.#end
    const turn = new Turn()
    while (this.#wanted && !this.#stopped) {
      const ready = this.#readyOrAsked()
      if (ready === 0) break
      if (turn.over) {
        this.#consumer.later()
        break
      }
      const count = Math.min(ready, CHUNK_BYTES)
      turn.spend(count)
      this.#give(count)
      // A writer that waits is woken by the first byte it gets room for: little room would make for little writes.
      if (reader.unpublished >= reader.size / 2) this.#publish()
    }
    this.#publish()
  }

  #give(count: number): void {
    this.#wanted = false
    // Also when a listener throws.
    let more = true
    try {
      more = this.#push(count)
    } finally {
      // What has been asked for meanwhile is wanted as well.
      this.#wanted ||= more
    }
  }

  /** @returns bytes there are to take. 0: the other end has been asked to say when there are some */
  #readyOrAsked(): number {
    const { reader } = this.#end
    const ready = reader.ready()
    if (ready > 0) return ready
    this.#publish()
    this.#end.ask(Notify.written)
    const meanwhile = reader.ready()
    this.#asked = meanwhile === 0
    return meanwhile
  }

  /**
   * All that is there, wanted or not: the other end has gone, or this one is about to. What is written from now on is not
   * waited for.
   * @throws GrantError ERR_GRANTS_PROTOCOL
   */
  drain(): void {
    this.#alone(true)
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
    this.#bytes[0]! += count
    return this.#consumer.push(chunk)
  }

  /** The memory is not touched any more. Of what has been taken the other end is told by who closes. */
  stop(): void {
    if (!this.#stopped) this.#end.reader.publish()
    this.#stopped = true
  }

  #publish(): void {
    if (!this.#stopped && this.#end.reader.publish() && this.#end.owes(Notify.read)) this.#consumer.notify()
  }
}
