import { onAbort } from '../abort.js'

/**
 * Work that is going on in the pages of one grant: fills and runs. The grant's pages may be given back only when it
 * has ended.
 */
export class InFlight {
  /** Made when needed: most grants of a busy service never see any. */
  #running: Set<{ controller: AbortController; ended: Promise<unknown> }> | undefined

  /**
   * @param signal the caller's: its reason becomes the work's
   * @param task rejects or resolves only when it touches the pages no more
   */
  async run<T>(
    signal: AbortSignal | undefined,
    task: (controller: AbortController) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController()
    const forward = (): void => controller.abort(signal!.reason)
    if (signal?.aborted) forward()
    const takeBack = signal && onAbort(signal, forward)
    const ended = task(controller)
    const entry = { controller, ended }
    this.#running ??= new Set()
    this.#running.add(entry)
    try {
      return await ended
    } finally {
      takeBack?.()
      this.#running.delete(entry)
    }
  }

  get busy(): boolean {
    return this.#running !== undefined && this.#running.size > 0
  }

  abort(reason: unknown): void {
    for (const { controller } of this.#running ?? []) controller.abort(reason)
  }

  /** Resolves when nothing is running any more; what fails is its own caller's business. */
  async idle(): Promise<void> {
    while (this.busy) await Promise.allSettled([...this.#running!].map(({ ended }) => ended))
  }
}
