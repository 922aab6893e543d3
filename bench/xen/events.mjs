import { EventChannels } from '../../dist/src/index.js'
import { summary } from './programs/statistics.mjs'
import { talk } from './programs/talk.mjs'

const ROUNDS = 7
const TRIPS = 50
/** A cold V8 under emulation would be a measurement of its compiler. */
const WARM_UP_TRIPS = 2000
const ECHO = new URL('./programs/echo.mjs', import.meta.url).pathname

/** Microseconds of a round trip, from this process to one that answers at once. */
async function nodeTrips(channel) {
  const began = performance.now()
  for (let trip = 0; trip < TRIPS; trip++) {
    const answer = channel.wait()
    channel.notify()
    await answer
  }
  return ((performance.now() - began) * 1000) / TRIPS
}

async function cTrips(ping) {
  const [, nanoseconds] = (await ping.ask('go')).split(' ')
  return Number(nanoseconds) / 1000 / TRIPS
}

export default {
  name: 'event round trip',
  tests: [
    {
      name: 'EventChannels beside libxenevtchn, two processes each',
      timeoutMs: 120_000,
      async run() {
        const events = await EventChannels.open()
        const channel = await events.bindUnbound(0)
        const echo = talk(process.execPath, ECHO, channel.port)
        await echo.line()
        const ping = talk('/peers/event_echo', 'ping', 0, TRIPS)
        const [, port] = (await ping.line()).split(' ')
        const answerer = talk('/peers/event_echo', 'echo', 0, port)
        await answerer.line()
        for (let trip = 0; trip < WARM_UP_TRIPS; trip += TRIPS) await nodeTrips(channel)
        await cTrips(ping)
        const [ours, theirs] = [[], []]
        for (let round = 0; round < ROUNDS; round++) {
          ours.push(await nodeTrips(channel))
          theirs.push(await cTrips(ping))
        }
        for (const program of [echo, ping, answerer]) await program.end()
        await events.close()
        const [node, c] = [summary(ours), summary(theirs)]
        return {
          unit: 'µs per round trip',
          rows: [{ what: 'round trip', node, c, ratio: node.median / c.median, target: '<= 3' }],
        }
      },
    },
  ],
}
