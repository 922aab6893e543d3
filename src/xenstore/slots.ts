import { untilAborted } from '../abort.js'

/** A fixed number of slots, handed out in the order they are asked for. */
export class Slots {
  #free: number
  readonly #waiting = new Set<() => void>()

  constructor(count: number) {
    this.#free = count
  }

  /** Each must be given back once. @throws the signal's reason, and then takes none */
  async take(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    if (this.#free > 0) {
      this.#free--
      return
    }
    let mine = (): void => {}
    const turn = new Promise<void>((resolve) => {
      mine = resolve
      this.#waiting.add(mine)
    })
    try {
      await untilAborted(turn, signal)
    } catch (error) {
      // It may have been given one in the same turn of the event loop.
      if (!this.#waiting.delete(mine)) this.give()
      throw error
    }
  }

  give(): void {
    const [next] = this.#waiting
    if (!next) this.#free++
    else {
      this.#waiting.delete(next)
      next()
    }
  }
}
