import { clearTimeout, setTimeout } from 'node:timers'
import { onAbort } from '../abort.js'
import type { EventChannel } from './event-channel.js'

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
  if (channel?.ended) throw channel.ended
  let end = (): void => {}
  try {
    // With a listener of its own and not with wait(), which only a signal ends: to abort one makes an error each time.
    await new Promise<void>((resolve, reject) => {
      const closed = (): void => reject(channel!.ended)
      const timer = setTimeout(resolve, milliseconds)
      const takeBack = signal && onAbort(signal, () => reject(signal.reason))
      channel?.on('event', resolve).on('close', closed)
      end = () => {
        clearTimeout(timer)
        takeBack?.()
        channel?.off('event', resolve).off('close', closed)
      }
    })
  } finally {
    end()
  }
}
