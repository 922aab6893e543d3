import type { Buffer } from 'node:buffer'
import { once } from 'node:events'
import process from 'node:process'
import type { Duplex } from 'node:stream'
import { clearTimeout, setTimeout } from 'node:timers'

/**
 * Standard input, for one connection after the other. A stream of Node's cannot be piped twice: it is over when the first
 * connection is.
 */
export class StandardInput implements Disposable {
  readonly #input = process.stdin
  #ended = false

  constructor() {
    this.#input.once('end', () => {
      this.#ended = true
    })
  }

  /** Goes to a stream until either ends. Resolves when the input has. */
  async pump(stream: Duplex): Promise<void> {
    const input = this.#input
    if (this.#ended) return
    const more = (): void => void input.resume()
    const give = (chunk: Buffer): void => {
      if (stream.writable && stream.write(chunk)) return
      input.pause()
      // For the next connection.
      if (!stream.writable) input.unshift(chunk)
      else stream.once('drain', more)
    }
    // The connection before has left it paused.
    input.on('data', give).resume()
    await new Promise<void>((resolve) => {
      const over = (): void => {
        input.off('data', give).off('end', over).pause()
        stream.off('close', over).off('drain', more)
        resolve()
      }
      input.on('end', over)
      stream.on('close', over)
    })
  }

  get ended(): boolean {
    return this.#ended
  }

  /** A writer that goes on does not keep this process alive. */
  [Symbol.dispose](): void {
    this.#input.destroy()
  }
}

/**
 * Connects a stream with standard input and output until the other end closes it. There is no half-open state: at the end of
 * the input the other end still has an answer to give, and does not know that nothing more comes.
 *
 * @param quitAfter seconds without a byte from the other end, after the end of the input, until this end closes
 * @throws what the stream fails with
 */
export async function talk(
  stream: Duplex,
  input: StandardInput,
  quitAfter: number | undefined,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const wait = (): void => {
    clearTimeout(timer)
    // Takes what the other end has not taken yet with it: end() waits for that.
    if (quitAfter !== undefined && input.ended) timer = setTimeout(() => stream.end(), quitAfter * 1000)
  }
  const output = async (): Promise<void> => {
    stream.on('data', (chunk: Buffer) => {
      if (process.stdout.write(chunk)) return
      stream.pause()
      process.stdout.once('drain', () => stream.resume())
    })
    stream.on('data', wait)
    await once(stream, 'close')
  }
  try {
    const talking = output()
    void input.pump(stream).then(wait)
    await talking
    // By the command, which has been interrupted, or by the reader of the output.
    if (stream.errored) throw stream.errored
  } finally {
    clearTimeout(timer)
  }
}
