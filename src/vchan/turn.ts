/** The most that one look moves through a ring before others of this thread have their turn, in bytes. */
const TURN_BYTES = 1 << 20
/** What a step counts for at least: a peer that moves one byte after the other makes for a million of them. */
const STEP_BYTES = 4 << 10

/** What one look at a ring may do. */
export class Turn {
  #left = TURN_BYTES

  /** A step has moved so many bytes. */
  spend(bytes: number): void {
    this.#left -= Math.max(bytes, STEP_BYTES)
  }

  get over(): boolean {
    return this.#left <= 0
  }
}
