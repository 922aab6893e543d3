import type { Readable } from 'node:stream'
import { clearTimeout, setTimeout } from 'node:timers'
import type { Callback } from './outflow.js'

/** How long it waits for the reader of what the other end wrote before it went, in milliseconds. */
const TAIL_GRACE = 1000

/**
 * The failure of a write, or of the end of all writing, because the other end has gone. Not before what that has written is
 * read, if somebody reads: an error would throw it away.
 */
export class Refusal {
  readonly #reader: Readable
  #callback: Callback | undefined
  #error: Error | undefined
  #grace: NodeJS.Timeout | undefined

  constructor(reader: Readable) {
    this.#reader = reader
  }

  begin(callback: Callback, error: Error): void {
    this.#callback = callback
    this.#error = error
    this.#reader.once('end', this.#tell)
    this.#grace = setTimeout(this.#tell, TAIL_GRACE)
    if (this.#reader.readableEnded || this.#reader.destroyed) this.#tell()
  }

  /** Tells at once, if it has begun: nobody reads any more. */
  end(): void {
    this.#tell()
  }

  readonly #tell = (): void => {
    const callback = this.#callback
    this.#callback = undefined
    clearTimeout(this.#grace)
    this.#reader.off('end', this.#tell)
    callback?.(this.#error)
  }
}
