import { PAGE_SIZE } from '../../abi.js'

interface Run {
  start: number
  end: number
  livePages: number
}

/**
 * Where each allocation of one device file begins and ends. The driver hands out file offsets in rising order and never
 * twice, so appending keeps the list sorted.
 */
export class AllocationMap {
  readonly #runs: Run[] = []

  add(index: number, count: number): void {
    this.#runs.push({ start: index, end: index + count * PAGE_SIZE, livePages: count })
  }

  /** Pages the driver has just freed; it refuses to free one twice, so counting them is enough. */
  remove(index: number, count: number): void {
    const end = index + count * PAGE_SIZE
    const first = this.#firstEndingAfter(index)
    let last = first
    for (; last < this.#runs.length && this.#runs[last]!.start < end; last++) {
      const run = this.#runs[last]!
      run.livePages -= (Math.min(run.end, end) - Math.max(run.start, index)) / PAGE_SIZE
    }
    const live = this.#runs.slice(first, last).filter((run) => run.livePages > 0)
    this.#runs.splice(first, last - first, ...live)
  }

  /** True when the pages belong to more than one allocation. Pages of none are the driver's to refuse. */
  spansTwo(index: number, count: number): boolean {
    const first = this.#firstEndingAfter(index)
    const next = this.#runs[first + 1]
    return next !== undefined && next.start < index + count * PAGE_SIZE
  }

  #firstEndingAfter(offset: number): number {
    let low = 0
    let high = this.#runs.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#runs[middle]!.end > offset) high = middle
      else low = middle + 1
    }
    return low
  }
}
