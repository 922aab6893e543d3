// A round trip of events between two processes on one simulated Xen, beside one of four bytes over a Unix socket between two
// Node processes. node bench/events.mjs [rounds]
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EventChannels } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { report } from './lib/results.mjs'
import { talk } from './xen/programs/talk.mjs'

const rounds = Number(process.argv[2] ?? 21)
const TRIPS = 1000
/** Rounds that only warm up. */
const COLD = 3
const answerer = (...args) =>
  talk(process.execPath, fileURLToPath(new URL('lib/answerer.mjs', import.meta.url)), ...args)

const folder = mkdtempSync(join(tmpdir(), 'xen-grants-bench-'))
const path = join(folder, 'socket')
const server = createServer().listen(path)
await once(server, 'listening')
const echo = answerer('socket', path)
const [socket] = await once(server, 'connection')
await echo.line()

const xen = await SimulatedXen.create()
const events = await EventChannels.open({ device: xen.domain(3) })
const channel = await events.bindUnbound(5)
const peer = answerer('events', xen.path, channel.port)
await peer.line()

const fourBytes = Buffer.alloc(4)
const kinds = {
  async 'a Unix socket'() {
    // Not `once` of node:events, which costs more than what it waits for.
    const answer = new Promise((resolve) => socket.once('data', resolve))
    socket.write(fourBytes)
    await answer
  },
  async 'EventChannels, simulated Xen'() {
    const answer = channel.wait()
    channel.notify()
    await answer
  },
}

async function trips(trip) {
  const began = performance.now()
  for (let left = TRIPS; left > 0; left--) await trip()
  return ((performance.now() - began) / TRIPS) * 1000
}

const row = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, []]))
const turns = Object.entries(kinds)
for (let round = -COLD; round < rounds; round++) {
  for (const [kind, trip] of turns) {
    const microseconds = await trips(trip)
    if (round >= 0) row[kind].push(microseconds)
  }
  // Another one goes first in the next round.
  turns.reverse()
}
for (const program of [echo, peer]) await program.end()
socket.destroy()
server.close()
await events.close()
await xen.close()
rmSync(folder, { recursive: true })
report('events', {
  title: 'A round trip between two processes',
  unit: 'µs',
  baseline: 'a Unix socket',
  samples: { 'round trip': row },
})
