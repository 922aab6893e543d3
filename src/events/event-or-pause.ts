import { pause, untilAborted } from '../abort.js'
import type { EventChannel } from './event-channel.js'

/** Why a look ends that nobody needs any more. One for all: an error takes longer to make than most events to deliver. */
const OVER = new Error('it is over')

/**
 * Resolves with the next event of the channel, if there is one, or after so many milliseconds. For what has to be looked at
 * even if nobody notifies.
 * @throws GrantError ERR_GRANTS_CLOSED when the channel is closed; the signal's reason
 */
export async function eventOrPause(
  channel: EventChannel | undefined,
  milliseconds: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted()
  // Not joined with the caller's by AbortSignal.any: Node 20 keeps something of each such signal.
  const stop = new AbortController()
  const looks: Promise<unknown>[] = [pause(milliseconds, stop.signal)]
  if (channel) looks.push(channel.wait({ signal: stop.signal }))
  for (const look of looks) look.catch(() => {})
  try {
    await untilAborted(Promise.race(looks), signal)
  } finally {
    stop.abort(OVER)
  }
}
