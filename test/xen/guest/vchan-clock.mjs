import { eventsSoFar } from './vchan-events.mjs'

/**
 * Times what moves, from the end of the warm-up on, and every `lap` by itself. It marks laps from the beginning: V8 throws away
 * what it has compiled when it first comes to a branch, so that a clock that only starts after the warm-up makes another one
 * necessary, which is then measured.
 */
export class Clock {
  #warm
  #lap
  #counts
  #marks = []
  #next = 0

  /** @param options `warm` and `lap` in what is counted, bytes or round trips; `events`: whether those are counted too */
  constructor({ warm = 0, lap = Infinity, events = false }) {
    this.#warm = warm
    this.#lap = lap
    this.#counts = events
  }

  /** @param all since the beginning */
  moved(all) {
    if (all >= this.#next) this.#mark(all)
  }

  #mark(all) {
    this.#marks.push(this.#now(all))
    const afterWarmUp = all < this.#warm ? this.#warm : Infinity
    this.#next = Math.min(this.#next + this.#lap, afterWarmUp)
  }

  #now(all) {
    return { all, at: performance.now(), events: this.#counts ? eventsSoFar() : 0 }
  }

  /** @returns {{ measured, events, nanoseconds, laps }} since the warm-up; `laps` has the nanoseconds of each whole one */
  end(all) {
    const last = this.#now(all)
    const timed = this.#marks.filter((mark) => mark.all >= this.#warm)
    const first = timed[0] ?? last
    const nanoseconds = (from, to) => Math.round((to.at - from.at) * 1e6)
    return {
      measured: all - first.all,
      events: last.events - first.events,
      nanoseconds: nanoseconds(first, last),
      laps: timed.slice(1).map((mark, i) => nanoseconds(timed[i], mark)),
    }
  }
}
