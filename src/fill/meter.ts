import { performance } from 'node:perf_hooks'
import type { FillResult } from './fill.js'

/** Times in milliseconds. */
export interface FillStats {
  count: number
  bytes: number
  /** Added up, also of fills that ran side by side. */
  milliseconds: number
  /** Over the time in which at least one fill was going on. */
  bytesPerSecond: number
}

/** Counts the fills of one thread. */
export class FillMeter {
  #count = 0
  #bytes = 0
  #milliseconds = 0
  #running = 0
  #busySince = 0
  #busy = 0

  begin(): void {
    if (this.#running++ === 0) this.#busySince = performance.now()
  }

  /** @param result undefined when it failed */
  end(result: FillResult | undefined): void {
    if (--this.#running === 0) this.#busy += performance.now() - this.#busySince
    if (!result) return
    this.#count++
    this.#bytes += result.bytes
    this.#milliseconds += result.milliseconds
  }

  stats(): FillStats {
    const busy = this.#busy + (this.#running > 0 ? performance.now() - this.#busySince : 0)
    return {
      count: this.#count,
      bytes: this.#bytes,
      milliseconds: this.#milliseconds,
      bytesPerSecond: busy === 0 ? 0 : (this.#bytes / busy) * 1000,
    }
  }
}
