import { closeSync, openSync, readSync } from 'node:fs'

const POLL_MS = 200

/** Follows a growing file line by line. */
export class Tail {
  #fd
  #timer
  #partial = ''
  #onLine

  constructor(path, onLine) {
    this.#onLine = onLine
    this.#fd = openSync(path, 'r')
    this.#timer = setInterval(() => this.#read(), POLL_MS)
  }

  /** Reads what is left and stops. */
  end() {
    clearInterval(this.#timer)
    this.#read()
    if (this.#partial) this.#onLine(this.#partial)
    closeSync(this.#fd)
  }

  #read() {
    const chunk = Buffer.alloc(65536)
    for (;;) {
      const length = readSync(this.#fd, chunk, 0, chunk.length, null)
      if (length === 0) return
      const lines = (this.#partial + chunk.toString('latin1', 0, length)).split(/\r*\n/)
      this.#partial = lines.pop()
      for (const line of lines) this.#onLine(line)
    }
  }
}
