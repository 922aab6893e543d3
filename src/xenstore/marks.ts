/** How many paths are kept between two looks, and how many characters of them. */
const MAX_PATHS = 64
const MAX_CHARACTERS = 8192

/**
 * What has changed since the last look, in bounded memory: each path once, and when there are too many of them, only that
 * something below the watched path has.
 */
export class Marks {
  readonly #paths = new Set<string>()
  #characters = 0
  #collapsed = false
  /** Takes the place of the paths when they are too many. */
  readonly #watched: string

  constructor(watched: string) {
    this.#watched = watched
  }

  add(path: string): void {
    // All that could be marked is below this one, which says so already.
    if (this.#collapsed || this.#paths.has(path)) return
    this.#paths.add(path)
    this.#characters += path.length
    if (this.#paths.size <= MAX_PATHS && this.#characters <= MAX_CHARACTERS) return
    this.#paths.clear()
    this.#paths.add(this.#watched)
    this.#characters = this.#watched.length
    this.#collapsed = true
  }

  /** The oldest. */
  take(): string | undefined {
    for (const path of this.#paths) {
      this.#paths.delete(path)
      this.#characters -= path.length
      this.#collapsed = false
      return path
    }
    return undefined
  }
}
