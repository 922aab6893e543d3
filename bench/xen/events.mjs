import { EventChannels } from '../../dist/src/index.js'
import { compare, timed } from './programs/compare.mjs'
import { talk } from './programs/talk.mjs'

const TRIPS = 50
/** Times as many from here: what V8 does beside is spread over more. */
const LONGER = 10
/** Until V8 has compiled what counts, at both ends. */
const WARM_UP_TRIPS = 20_000
const ECHO = new URL('./programs/echo.mjs', import.meta.url).pathname

/** Round trips from this process to one that answers at once. */
function trips(channel) {
  return (count) =>
    timed(async () => {
      for (let trip = 0; trip < count; trip++) {
        const answer = channel.wait()
        channel.notify()
        await answer
      }
    })
}

export default {
  name: 'events',
  tests: [
    {
      name: 'two processes of dom0',
      guarded: true,
      timeoutMs: 600_000,
      async run() {
        const events = await EventChannels.open()
        const channel = await events.bindUnbound(0)
        const echo = talk(process.execPath, ECHO, channel.port)
        await echo.line()
        const ping = talk('/peers/event_echo', 'ping', 0, TRIPS)
        const [, port] = (await ping.line()).split(' ')
        const answerer = talk('/peers/event_echo', 'echo', 0, port)
        await answerer.line()
        const ours = trips(channel)
        await ours(WARM_UP_TRIPS)
        // The program in C makes so many each time.
        const longer = async (count) => (await ours(LONGER * count)) / LONGER
        const theirs = async () => Number((await ping.ask('go')).split(' ')[1])
        const ways = { 'xen-grants': longer, libxenevtchn: theirs }
        const rows = [await compare('round trip', TRIPS, ways, { most: 70 })]
        for (const program of [echo, ping, answerer]) await program.end()
        await events.close()
        return { rows }
      },
    },
  ],
}
