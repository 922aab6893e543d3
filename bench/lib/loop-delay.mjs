// Lateness of a 1 ms timer, measured by the event loop itself: what a request that arrives meanwhile would feel.
export class LoopDelay {
  #late = []
  #last = performance.now()
  #timer = setInterval(() => {
    const now = performance.now()
    this.#late.push(Math.max(0, now - this.#last - 1))
    this.#last = now
  }, 1)

  /** @returns p50, p99 and the longest, in milliseconds */
  stop() {
    clearInterval(this.#timer)
    this.#late.push(Math.max(0, performance.now() - this.#last - 1))
    const sorted = this.#late.sort((a, b) => a - b)
    const at = (p) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))]
    return { p50: at(0.5), p99: at(0.99), max: sorted.at(-1) }
  }
}
