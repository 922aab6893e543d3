import { once } from 'node:events'
import process from 'node:process'
import { EventChannels, type EventChannelsOptions } from '../index.js'

export interface NotifyCommand {
  domid: number
  port?: number
  count?: number
  device: NonNullable<EventChannelsOptions['device']>
}

/** With a port: binds to it and notifies. Without: binds one, prints it, and prints a line for every event. */
export async function notify({ domid, port, count = Infinity, device }: NotifyCommand): Promise<void> {
  await using channels = await EventChannels.open({ device })
  if (port !== undefined) {
    const channel = await channels.bindInterdomain(domid, port)
    channel.notify()
    await channel.close()
    return
  }
  const channel = await channels.bindUnbound(domid)
  process.stdout.write(`${channel.port}\n`)
  const interrupted = new AbortController()
  void Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]).then(() => interrupted.abort())
  for (let seen = 0; seen < count; seen++) {
    try {
      await channel.wait({ signal: interrupted.signal })
    } catch (error) {
      if (interrupted.signal.aborted) return
      throw error
    }
    process.stdout.write('event\n')
  }
}
