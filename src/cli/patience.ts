import { once } from 'node:events'
import { pause, untilAborted } from '../abort.js'
import { GrantError } from '../errors.js'
import type { FileSource } from '../net/transfer/send-file.js'
import type { Service, ServiceSocket } from '../vchan.js'

/**
 * The first that connects.
 * @param seconds how long it is waited for; undefined: without limit
 * @throws GrantError ETIMEDOUT; the signal's reason
 */
export async function receiverOf(
  service: Service,
  seconds: number | undefined,
  signal: AbortSignal,
): Promise<ServiceSocket> {
  const connected = once(service, 'connection') as Promise<[ServiceSocket]>
  if (seconds === undefined) return (await untilAborted(connected, signal))[0]
  const done = new AbortController()
  const late = pause(seconds * 1000, done.signal).then(() => undefined)
  late.catch(() => {})
  try {
    const first = await untilAborted(Promise.race([connected, late]), signal)
    if (first) return first[0]
    throw new GrantError('ETIMEDOUT', `no receiver has come for ${seconds} s`)
  } finally {
    done.abort()
  }
}

/**
 * Ends the socket, with ETIMEDOUT, when the receiver has neither taken nor said anything for so long. How long the source takes is
 * not its fault.
 * @param seconds undefined: never
 * @returns what is to be sent
 */
export function untilSilent(
  socket: ServiceSocket,
  source: FileSource,
  seconds: number | undefined,
): FileSource {
  if (seconds === undefined) return source
  let reading = false
  socket.setTimeout(Math.ceil(seconds * 1000)).on('timeout', () => {
    if (reading && socket.writableLength === 0) return
    socket.destroy(new GrantError('ETIMEDOUT', `the receiver has taken nothing for ${seconds} s`))
  })
  return {
    name: source.name,
    size: source.size,
    async read(into) {
      reading = true
      try {
        return await source.read(into)
      } finally {
        reading = false
      }
    },
  }
}
