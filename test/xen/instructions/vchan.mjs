import { newPath, prepare } from '../guest/vchan-checks.mjs'
import { C, Node, NodeProcess } from '../guest/vchan-ends.mjs'

const MIB = 1 << 20
const TEN_MINUTES = 600_000
/** Which kind serves, which connects. Node is this process, and another where both ends are. */
const PAIRS = [
  ['C serves C', C, C],
  ['C serves Node', C, Node],
  ['Node serves C', Node, C],
  ['Node serves Node', Node, NodeProcess],
]
const LAPS = 5
/** Measured when V8 has compiled at both ends what the stream needs: a small ring takes more turns for each byte. */
const STREAMS = [
  { ring: 1 << 20, warm: 64 * MIB, lap: 16 * MIB },
  { ring: 1 << 16, warm: 64 * MIB, lap: 16 * MIB },
  { ring: 1 << 12, warm: 16 * MIB, lap: 2 * MIB },
]
/** A tenth as many come before, to warm up. */
const ROUNDS = 10_000
const WARM_UP = 20
const CONNECTIONS = 20

/** One direction, in calls of 64 KiB. The end that takes measures, from the end of the warm-up on; Node lap by lap. */
async function stream(t, ServerEnd, ClientEnd, { ring, warm, lap }, fromServer) {
  const path = newPath()
  // The last lap ends before the end of the stream.
  const bytes = warm + LAPS * lap + MIB
  const source = { put: bytes, plain: true }
  const sink = {
    take: bytes,
    plain: true,
    warm,
    events: true,
    ...((fromServer ? ClientEnd : ServerEnd) !== C && { lap }),
  }
  const rings = { receive: ring, send: ring }
  const server = ServerEnd(t, 'server', 0, path, { ...rings, ...(fromServer ? source : sink) })
  const client = ClientEnd(t, 'client', 0, path, fromServer ? sink : source)
  const [atServer, atClient] = await Promise.all([server.done(), client.done()])
  const { measured, nanoseconds, events, laps = [] } = fromServer ? atClient : atServer
  const speeds = laps.map((one) => lap / MIB / (one / 1e9)).sort((a, b) => a - b)
  const all = measured / MIB / (nanoseconds / 1e9)
  const median = speeds.length > 0 ? speeds[speeds.length >> 1] : all
  const spread = speeds.length > 0 ? ` (${speeds[0].toFixed(0)} to ${speeds.at(-1).toFixed(0)})` : ''
  return `${median.toFixed(0)} MiB/s${spread}, ${(events / (measured / MIB)).toFixed(1)} events per MiB`
}

const streams = PAIRS.flatMap(([pair, ServerEnd, ClientEnd]) =>
  STREAMS.map((size) => ({
    name: `${pair}: a stream, rings of ${size.ring >> 10} KiB`,
    timeoutMs: TEN_MINUTES,
    async run(t) {
      await prepare(t)
      t.note(`server to client ${await stream(t, ServerEnd, ClientEnd, size, true)}`)
      t.note(`client to server ${await stream(t, ServerEnd, ClientEnd, size, false)}`)
    },
  })),
)

/** The client's 64 bytes and their echo. */
const roundTrips = PAIRS.map(([pair, ServerEnd, ClientEnd]) => ({
  name: `${pair}: a round trip of 64 bytes`,
  timeoutMs: TEN_MINUTES,
  async run(t) {
    await prepare(t)
    const path = newPath()
    const server = ServerEnd(t, 'server', 0, path, { echo: true, plain: true })
    const client = ClientEnd(t, 'client', 0, path, { ping: ROUNDS, chunk: 64, events: true })
    const [{ measured, nanoseconds, events }] = await Promise.all([client.done(), server.done()])
    const microseconds = (nanoseconds / measured / 1e3).toFixed(1)
    t.note(`${microseconds} us, ${(events / measured).toFixed(2)} events at both ends`)
  },
}))

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
const connections = PAIRS.map(([pair, ServerEnd, ClientEnd]) => ({
  name: `${pair}: set-up and close, rings of 64 KiB`,
  timeoutMs: TEN_MINUTES,
  async run(t) {
    await prepare(t)
    const path = newPath()
    const serve = repeatedly(t, ServerEnd, 'server', path, { put: 64, take: 0, drain: true })
    const connect = repeatedly(t, ClientEnd, 'client', path, {})
    const both = () => Promise.all([serve(), connect()])
    for (let i = 0; i < WARM_UP; i++) await both()
    const began = performance.now()
    for (let i = 0; i < CONNECTIONS; i++) await both()
    t.note(`${((performance.now() - began) / CONNECTIONS).toFixed(2)} ms for each connection`)
  },
}))

/** Figures, and no bars. On this clock a nanosecond is an instruction: of both ends, the kernel and the hypervisor together. */
export default { name: 'vchan', tests: [...streams, ...roundTrips, ...connections] }
