import type { Buffer } from 'node:buffer'
import type { Readable } from 'node:stream'

/** So much may wait for whoever iterates, in bytes. */
const WAITING = 1 << 20

/**
 * What a stream brings, as it comes: an iterator of the stream's own would put together, and copy, what has come at once. The
 * stream is paused while much waits, and when the iteration is left; it is not destroyed.
 *
 * @throws what the stream fails with
 */
export async function* piecesOf(stream: Readable): AsyncGenerator<readonly Buffer[], void, undefined> {
  let waiting: Buffer[] = []
  let bytes = 0
  let ended = stream.readableEnded || stream.destroyed
  let failure: Error | null = stream.errored
  let wake = (): void => {}
  const take = (piece: Buffer): void => {
    waiting.push(piece)
    bytes += piece.length
    if (bytes >= WAITING) stream.pause()
    wake()
  }
  const end = (): void => {
    ended = true
    wake()
  }
  const fail = (error: Error): void => {
    failure = error
    end()
  }
  stream.on('data', take).on('end', end).on('close', end).on('error', fail)
  try {
    for (;;) {
      if (waiting.length > 0) {
        const pieces = waiting
        waiting = []
        bytes = 0
        yield pieces
        stream.resume()
      } else if (failure) throw failure
      else if (ended) return
      else
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
  } finally {
    stream.off('data', take).off('end', end).off('close', end).off('error', fail).pause()
  }
}
