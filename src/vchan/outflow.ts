import type { VchanEnd } from './end.js'
import { Notify } from './layout.js'
import { Turn } from './turn.js'

export type Callback = (error?: Error | null) => void

/** Who is told of what has been written. */
export interface Producer {
  /** The other end wants to be woken. */
  notify(): void
  /** Calls `fill` again, in a turn of its own. */
  later(): void
}

/** From one writer at a time to the ring. */
export class Outflow {
  readonly #end: VchanEnd
  readonly #producer: Producer
  #chunks: readonly Uint8Array[] = []
  /** Which is next, and where in it. */
  #index = 0
  #from = 0
  #callback: Callback | undefined
  /** See {@link bytes}. A field that outgrew 31 bits would make V8 throw away what it has compiled. */
  readonly #bytes = new Float64Array(1)
  /** How often there was no room left. */
  stalls = 0

  constructor(end: VchanEnd, producer: Producer) {
    this.#end = end
    this.#producer = producer
  }

  /** Bytes put into the ring. */
  get bytes(): number {
    return this.#bytes[0]!
  }

  /** @param callback called by {@link fill} when all of it is in the ring */
  begin(chunks: readonly Uint8Array[], callback: Callback): void {
    this.#chunks = chunks
    this.#index = 0
    this.#from = 0
    this.#callback = callback
  }

  /** Puts as much as there is room for. Then the other end knows that it is to say when more is. @throws GrantError ERR_GRANTS_PROTOCOL */
  fill(): void {
    if (!this.#callback) return
    const { writer } = this.#end
    const turn = new Turn()
    for (;;) {
      const before = this.bytes
      const done = this.#put()
      if (writer.publish() && this.#end.owes(Notify.written)) this.#producer.notify()
      if (done) break
      this.#end.ask(Notify.read)
      if (writer.space() === 0) {
        this.stalls++
        return
      }
      turn.spend(this.bytes - before)
      if (turn.over) {
        this.#producer.later()
        return
      }
    }
    this.giveUp()?.()
  }

  /** @returns whether all of it is in the ring */
  #put(): boolean {
    for (; this.#index < this.#chunks.length; this.#index++, this.#from = 0) {
      const chunk = this.#chunks[this.#index]!
      const count = this.#end.writer.put(chunk, this.#from)
      this.#bytes[0]! += count
      this.#from += count
      if (this.#from < chunk.length) return false
    }
    return true
  }

  /** @returns who waits for what is not in the ring yet; to be told by the caller */
  giveUp(): Callback | undefined {
    const callback = this.#callback
    this.#callback = undefined
    this.#chunks = []
    return callback
  }

  /**
   * Whether the other end has taken everything. If not, it is asked to say when it takes some.
   * @throws GrantError ERR_GRANTS_PROTOCOL
   */
  allTaken(): boolean {
    if (this.#callback) return false
    if (this.#end.writer.empty()) return true
    this.#end.ask(Notify.read)
    return this.#end.writer.empty()
  }

  /** Bytes that the other end has not taken. @throws GrantError ERR_GRANTS_PROTOCOL */
  get untaken(): number {
    const { writer } = this.#end
    return writer.size - writer.space()
  }
}
