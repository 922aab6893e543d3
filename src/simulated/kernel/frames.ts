/** What the kernel does to page contents. The host has a file behind it, a test may have nothing. */
export interface PageMemory {
  /** Makes sure that the frames can be written to. @returns whether there is memory for them */
  reserve(first: number, count: number): boolean
  /** Sets one byte to zero. @param offset within the page */
  clearByte(frame: number, offset: number): void
  /** Drops the contents: the frames read zeros from now on. */
  discard(first: number, count: number): void
}

/** Frames next to each other. */
export interface FrameRun {
  first: number
  count: number
}

/** Splits frames into runs, in the order given: a run ends where the next frame is not the following number. */
export function* runsOf(frames: ArrayLike<number>): Generator<FrameRun> {
  for (let start = 0; start < frames.length; ) {
    const first = frames[start]!
    let count = 1
    while (start + count < frames.length && frames[start + count] === first + count) count++
    yield { first, count }
    start += count
  }
}

/**
 * Gives out page frames 0 … total-1, first fit. An allocation is one run if any free run is long enough, so that it can be
 * mapped in one piece, and several otherwise.
 */
export class FrameAllocator {
  readonly #memory: PageMemory
  /** Ascending, never touching each other. All of it reads zero. */
  readonly #free: FrameRun[]

  constructor(total: number, memory: PageMemory) {
    this.#memory = memory
    this.#free = [{ first: 0, count: total }]
  }

  /** @returns undefined if memory is short */
  allocate(count: number): Uint32Array | undefined {
    const frames = new Uint32Array(count)
    const fitting = this.#free.findIndex((run) => run.count >= count)
    if (fitting >= 0) this.#take(fitting, frames)
    else for (let filled = 0; filled < count; ) filled += this.#take(0, frames.subarray(filled))
    for (const { first, count } of runsOf(frames)) {
      if (this.#memory.reserve(first, count)) continue
      this.release(frames)
      return undefined
    }
    return frames
  }

  /** Takes as many frames of a free run as there is room for in `into`. @returns how many */
  #take(position: number, into: Uint32Array): number {
    const run = this.#free[position]
    if (run === undefined) throw new Error('More pages are granted than the grant table has entries')
    const taken = Math.min(run.count, into.length)
    for (let page = 0; page < taken; page++) into[page] = run.first + page
    run.first += taken
    run.count -= taken
    if (run.count === 0) this.#free.splice(position, 1)
    return taken
  }

  release(frames: Iterable<number>): void {
    for (const run of runsOf([...frames].sort((a, b) => a - b))) {
      this.#memory.discard(run.first, run.count)
      this.#insert(run)
    }
  }

  #insert(run: FrameRun): void {
    let low = 0
    for (let high = this.#free.length; low < high; ) {
      const middle = (low + high) >>> 1
      if (this.#free[middle]!.first < run.first) low = middle + 1
      else high = middle
    }
    const before = this.#free[low - 1]
    const after = this.#free[low]
    const joinsBefore = before !== undefined && before.first + before.count === run.first
    const joinsAfter = after !== undefined && run.first + run.count === after.first
    const merged = {
      first: joinsBefore ? before.first : run.first,
      count: run.count + (joinsBefore ? before.count : 0) + (joinsAfter ? after.count : 0),
    }
    this.#free.splice(joinsBefore ? low - 1 : low, Number(joinsBefore) + Number(joinsAfter), merged)
  }
}
