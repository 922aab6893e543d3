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
