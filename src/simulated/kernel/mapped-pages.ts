/** Which pages of one mmap are still mapped: a munmap may take any part of it. */
export class MappedPages {
  readonly count: number
  #remaining: number
  /** 1 for each page gone. Most mappings go in one piece and never need it. */
  #gone: Uint8Array | undefined

  constructor(count: number) {
    this.count = count
    this.#remaining = count
  }

  get remaining(): number {
    return this.#remaining
  }

  /** Whether all of `count` pages from `first` are there. */
  has(first: number, count: number): boolean {
    if (first < 0 || count < 1 || first + count > this.count || this.#remaining === 0) return false
    return this.#gone === undefined || !this.#gone.subarray(first, first + count).includes(1)
  }

  /** The caller has checked with `has`. */
  remove(first: number, count: number): void {
    this.#remaining -= count
    if (this.#remaining === 0) return
    this.#gone ??= new Uint8Array(this.count)
    this.#gone.fill(1, first, first + count)
  }
}
