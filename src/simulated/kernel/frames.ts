import { type FrameRun, runsOf } from './frame-runs.js'

/** What the kernel does to page contents. The host has a file behind it, a test may have nothing. */
export interface PageMemory {
  /** What to do when there is no memory: a simulated machine has less than it says. */
  readonly advice?: string
  /** Makes sure that the frames can be written to. @returns whether there is memory for them */
  reserve(first: number, count: number): boolean
  /** Sets one byte to zero. @param offset within the page */
  clearByte(frame: number, offset: number): void
  /** Drops the contents: the frames read zeros from now on. */
  discard(first: number, count: number): void
  read(frame: number, offset: number, length: number): Uint8Array
  write(frame: number, offset: number, bytes: Uint8Array): void
}

/** A frame's number travels as 32 bits. */
const MAX_FRAMES = 2 ** 32

/**
 * The page frames of the whole machine: a frame is given out once, to whatever domain, until it comes back. First fit: an
 * allocation is one run if any free run is long enough, so that it can be mapped in one piece, and several otherwise.
 */
export class FramePool {
  readonly #memory: PageMemory
  readonly #step: number
  /** Ascending, never touching each other. All of it reads zero. */
  readonly #free: FrameRun[] = []
  #available = 0
  #total = 0
  /** How many of those who may still write to a frame, although it is free by the books, hold it back. */
  readonly #holds = new Map<number, number>()
  /** Released while they were held. */
  readonly #waiting = new Set<number>()

  /** @param step how many frames it grows by when none are left, at least */
  constructor(step: number, memory: PageMemory) {
    this.#step = step
    this.#memory = memory
  }

  /** See {@link PageMemory}. */
  get advice(): string | undefined {
    return this.#memory.advice
  }

  /** @returns undefined if memory is short */
  allocate(count: number): Uint32Array | undefined {
    if (count > this.#available && !this.#grow(Math.max(this.#step, count - this.#available)))
      return undefined
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

  release(frames: Iterable<number>): void {
    const free: number[] = []
    for (const frame of frames) {
      if (this.#holds.has(frame)) this.#waiting.add(frame)
      else free.push(frame)
    }
    for (const run of runsOf(free.sort((a, b) => a - b))) {
      this.#memory.discard(run.first, run.count)
      this.#insert(run)
    }
  }

  /** Nobody gets these frames, also if they are released, before `letGo`. */
  hold(frames: Iterable<number>): void {
    for (const frame of frames) this.#holds.set(frame, (this.#holds.get(frame) ?? 0) + 1)
  }

  letGo(frames: Iterable<number>): void {
    const free: number[] = []
    for (const frame of frames) {
      const left = (this.#holds.get(frame) ?? 1) - 1
      if (left > 0) this.#holds.set(frame, left)
      else {
        this.#holds.delete(frame)
        if (this.#waiting.delete(frame)) free.push(frame)
      }
    }
    this.release(free)
  }

  #grow(count: number): boolean {
    if (this.#total + count > MAX_FRAMES) return false
    this.#insert({ first: this.#total, count })
    this.#total += count
    return true
  }

  /** Takes as many frames of a free run as there is room for in `into`. @returns how many */
  #take(position: number, into: Uint32Array): number {
    const run = this.#free[position]!
    const taken = Math.min(run.count, into.length)
    for (let page = 0; page < taken; page++) into[page] = run.first + page
    run.first += taken
    run.count -= taken
    this.#available -= taken
    if (run.count === 0) this.#free.splice(position, 1)
    return taken
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
    this.#available += run.count
  }
}
