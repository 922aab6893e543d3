import type { Duplex } from 'node:stream'
import { finished } from 'node:stream/promises'

/** Resolves when a stream is over and has given everything back, whatever it ended with. */
export async function ended(stream: Duplex): Promise<void> {
  stream.resume()
  if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve))
}

/** Why a stream is over. */
export async function failure(stream: Duplex): Promise<unknown> {
  const error = await finished(stream.resume()).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  await ended(stream)
  return error
}
