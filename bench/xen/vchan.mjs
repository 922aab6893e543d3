import { newPath, prepare } from '../../test/xen/guest/vchan-checks.mjs'
import { C, Node, NodeProcess } from '../../test/xen/guest/vchan-ends.mjs'
import { row, summary } from './programs/statistics.mjs'

const MIB = 1 << 20
const TWENTY_MINUTES = 1_200_000
/** Which kind serves, which connects. Node is this process, and another where both ends are. What all are held against comes last. */
const PAIRS = [
  ['xen-grants at both ends', Node, NodeProcess],
  ['xen-grants serves C', Node, C],
  ['C serves xen-grants', C, Node],
  ['libxenvchan', C, C],
]
const LAPS = 9
/**
 * Measured when V8 has compiled at both ends what the stream needs, which takes it some ten thousand chunks: on this clock it
 * has one processor, which carries the stream as well.
 */
const STREAMS = [
  { ring: 1 << 20, warm: 3072 * MIB, lap: 32 * MIB, least: 0.6 },
  { ring: 1 << 16, warm: 1024 * MIB, lap: 16 * MIB, least: 0.6 },
  { ring: 1 << 12, warm: 64 * MIB, lap: 2 * MIB, least: 0.4 },
]
/** As many come before, to warm up. */
const TRIPS = 20_000
const WARM_UP = 150
const CONNECTIONS = 20

/** One direction, in calls of 64 KiB. The end that takes measures, from the end of the warm-up on; C all at once. */
async function stream(t, ServerEnd, ClientEnd, { ring, warm, lap }, fromServer) {
  const path = newPath()
  // The last lap ends before the end of the stream.
  const bytes = warm + LAPS * lap + MIB
  const source = { put: bytes, plain: true }
  const laps = (fromServer ? ClientEnd : ServerEnd) !== C && { lap }
  const sink = { take: bytes, plain: true, warm, events: true, ...laps }
  const rings = { receive: ring, send: ring }
  const server = ServerEnd(t, 'server', 0, path, { ...rings, ...(fromServer ? source : sink) })
  const client = ClientEnd(t, 'client', 0, path, fromServer ? sink : source)
  const [atServer, atClient] = await Promise.all([server.done(), client.done()])
  const { measured, nanoseconds, events, laps: timed = [] } = fromServer ? atClient : atServer
  const speeds = timed.map((one) => lap / MIB / (one / 1e9))
  const whole = measured / MIB / (nanoseconds / 1e9)
  return {
    speed: summary(speeds.length > 0 ? speeds : [whole]),
    events: summary([events / (measured / MIB)]),
  }
}

async function streams(t, size, fromServer) {
  await prepare(t)
  const [speeds, events] = [{}, {}]
  for (const [pair, ServerEnd, ClientEnd] of PAIRS) {
    const found = await stream(t, ServerEnd, ClientEnd, size, fromServer)
    speeds[pair] = found.speed
    events[pair] = found.events
  }
  const what = `rings of ${size.ring >> 10} KiB, ${fromServer ? 'server to client' : 'client to server'}`
  return {
    unit: 'MiB/s',
    rows: [
      row(what, speeds, { least: size.least }),
      row(`${what}: events per MiB`, events, size.ring === 1 << 16 ? { most: 16 } : {}),
    ],
  }
}

/** The client's 64 bytes and their echo. */
async function roundTrips(t) {
  await prepare(t)
  const times = {}
  for (const [pair, ServerEnd, ClientEnd] of PAIRS) {
    const path = newPath()
    const server = ServerEnd(t, 'server', 0, path, { echo: true, plain: true })
    const client = ClientEnd(t, 'client', 0, path, { ping: TRIPS, chunk: 64, events: true })
    const [{ measured, nanoseconds, laps = [] }] = await Promise.all([client.done(), server.done()])
    const each = laps.map((lap) => (lap / measured) * laps.length)
    times[pair] = summary((each.length > 0 ? each : [nanoseconds / measured]).map((time) => time / 1e3))
  }
  return { rows: [row('round trip of 64 bytes', times, { times: 4 })] }
}

/** One connection after the other. A process has been told how many. */
function repeatedly(t, End, role, path, options) {
  if (End !== Node) {
    const program = End(t, role, 0, path, { ...options, times: WARM_UP + CONNECTIONS })
    return () => program.done()
  }
  return async () => {
    // A server that is closing may still be found.
    for (;;) {
      const counts = await Node(t, role, 0, path, options).done()
      if (counts.sent + counts.received > 0) return counts
    }
  }
}

/**
 * All that both ends do for a connection: set-up, one packet from the server, which then closes, and the client after it.
 * Nobody is idle meanwhile: a client waits with a watch.
 */
async function connections(t) {
  await prepare(t)
  const times = {}
  for (const [pair, ServerEnd, ClientEnd] of PAIRS) {
    const path = newPath()
    const serve = repeatedly(t, ServerEnd, 'server', path, { put: 64, take: 0, drain: true })
    const connect = repeatedly(t, ClientEnd, 'client', path, {})
    const both = () => Promise.all([serve(), connect()])
    for (let i = 0; i < WARM_UP; i++) await both()
    const each = []
    for (let i = 0; i < CONNECTIONS; i++) {
      const began = performance.now()
      await both()
      each.push((performance.now() - began) * 1e3)
    }
    times[pair] = summary(each)
  }
  return { rows: [row('set up and close, rings of 64 KiB', times, { times: 2 })] }
}

const directions = [
  ['server to client', true],
  ['client to server', false],
]

/** dom0 with itself. On the counting clock one processor does the work of both ends, the kernel and the hypervisor. */
export default {
  name: 'vchan',
  tests: [
    { name: 'round trips', timeoutMs: TWENTY_MINUTES, run: roundTrips },
    { name: 'connections', timeoutMs: TWENTY_MINUTES, run: connections },
    ...STREAMS.flatMap((size) =>
      directions.map(([name, fromServer]) => ({
        name: `a stream, rings of ${size.ring >> 10} KiB, ${name}`,
        timeoutMs: TWENTY_MINUTES,
        run: (t) => streams(t, size, fromServer),
      })),
    ),
  ],
}
