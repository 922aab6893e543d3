/** Who waits for a file of a device to have something to read: one at a time, a later one in the place of an earlier. */
export class OneWaiter {
  #wake: (() => void) | undefined

  /** Calls `wake` once, when there is something to read: perhaps at once. */
  wait(wake: () => void, ready: boolean): void {
    this.#wake = wake
    if (ready) this.wake()
  }

  wake(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  forget(): void {
    this.#wake = undefined
  }
}
