import { onAbort } from './abort.js'

/** Hands out a fixed number of turns, in the order they are asked for. */
export class Semaphore {
  #free: number
  readonly #waiting = new Set<() => void>()

  constructor(count: number) {
    this.#free = count
  }

  /** @returns true with a turn to {@link give} back; false, without one, when the signal fires first */
  async take(signal: AbortSignal | undefined): Promise<boolean> {
    if (signal?.aborted) return false
    if (this.#free > 0) {
      this.#free--
      return true
    }
    return new Promise((resolve) => {
      const mine = (): void => {
        takeBack?.()
        resolve(true)
      }
      const takeBack =
        signal &&
        onAbort(signal, () => {
          this.#waiting.delete(mine)
          resolve(false)
        })
      this.#waiting.add(mine)
    })
  }

  give(): void {
    const [next] = this.#waiting
    if (!next) {
      this.#free++
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
