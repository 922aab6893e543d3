// A stream between two processes, as domains 3 and 5 of a simulated Xen, beside a Unix socket between the same two: bulk in
// writes of 64 KiB, round trips of 64 bytes, and setting one up. node bench/vchan.mjs [rounds]
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { Xen } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { Vchan } from 'xen-grants/vchan'
import { report } from './lib/results.mjs'

const WRITE = 64 << 10
const MIB = 1 << 20
/** Through a small ring less, which takes as long. */
const BULK = { '4 KiB': 8 * MIB, '64 KiB': 128 * MIB }
const MOST = 256 * MIB
const ROUND_TRIPS = 2_000
const SET_UPS = 20
const RINGS = { '1 MiB': MIB, '64 KiB': 64 << 10, '4 KiB': 4 << 10 }
const path = 'data/vchan/5/bench'

/** What the other end does with a stream: the first byte says it, and the next four how many MiB there are. */
const JOB = { sink: 1, echo: 2, nothing: 3 }

if (process.env.XEN_GRANTS_BENCH_PEER) await peer(process.env.XEN_GRANTS_BENCH_PEER)
else await main(Number(process.argv[2] ?? 7))

/** Serves one stream after the other, as it is told. */
async function peer(place) {
  const simulated = await SimulatedXen.attach(place)
  const xen = await Xen.open({ on: simulated.domain(3) })
  const sockets = createServer(serveOne)
  await once(sockets.listen(`${place}/bench`), 'listening')
  process.send('ready')
  process.on('message', async (bytes) => {
    if (bytes === 'end') {
      sockets.close()
      await xen.close()
      await simulated.close()
      process.disconnect()
      return
    }
    serveOne(await Vchan.serve(xen, { domid: 5, path, receiveBytes: bytes, sendBytes: bytes }))
  })
}

function serveOne(stream) {
  stream.on('error', () => {})
  stream.once('data', (first) => {
    let left = first.readUInt32LE(1) * MIB - first.length
    if (first[0] === JOB.echo) stream.on('data', (chunk) => stream.write(chunk)).write(first)
    else if (first[0] === JOB.sink)
      stream.on('data', (chunk) => {
        left -= chunk.length
        if (left === 0) stream.write('.')
      })
  })
}

async function main(rounds) {
  const simulated = await SimulatedXen.create({ limit: 4096 })
  const xen = await Xen.open({ on: simulated.domain(5) })
  const child = fork(import.meta.filename, { env: { ...process.env, XEN_GRANTS_BENCH_PEER: simulated.path } })
  await once(child, 'message')
  const open = {
    'a Unix socket': async () => {
      const socket = connect(`${simulated.path}/bench`)
      await once(socket, 'connect')
      return socket
    },
  }
  for (const [name, bytes] of Object.entries(RINGS))
    open[`vchan, rings of ${name}`] = () => {
      child.send(bytes)
      return Vchan.connect(xen, { domid: 3, path })
    }

  const names = Object.keys(open)
  const bulk = {}
  const trips = {}
  const setUps = {}
  for (let round = -1; round < rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round + 1) % names.length]
      const figures = [
        await within(open[name], (stream) =>
          sendBulk(stream, BULK[name.replace('vchan, rings of ', '')] ?? MOST),
        ),
        await within(open[name], roundTrips),
        await setUp(open[name]),
      ]
      for (const [at, rows] of [bulk, trips, setUps].entries()) {
        rows[name] ??= []
        if (round >= 0) rows[name].push(figures[at])
      }
    }
  }
  child.send('end')
  await once(child, 'exit')
  await xen.close()
  await simulated.close()
  const baseline = 'a Unix socket'
  report('vchan-bulk', {
    title: 'A stream in writes of 64 KiB',
    unit: 'MiB/s',
    lowerIsBetter: false,
    baseline,
    samples: { bulk },
  })
  report('vchan-round-trip', {
    title: 'Small messages and short streams',
    unit: 'µs',
    baseline,
    samples: { 'a round trip of 64 bytes': trips, 'set up and close': setUps },
  })
}

async function within(open, measure) {
  const stream = await open()
  const figure = await measure(stream)
  stream.destroy()
  await once(stream, 'close')
  return figure
}

async function sendBulk(stream, bytes) {
  const chunk = Buffer.alloc(WRITE, JOB.sink)
  chunk.writeUInt32LE(bytes / MIB, 1)
  const began = performance.now()
  for (let left = bytes; left > 0; left -= WRITE) if (!stream.write(chunk)) await once(stream, 'drain')
  await once(stream, 'data')
  return bytes / MIB / ((performance.now() - began) / 1000)
}

async function roundTrips(stream) {
  const message = Buffer.alloc(64, JOB.echo)
  const began = performance.now()
  let left = ROUND_TRIPS
  await new Promise((resolve) => {
    stream.on('data', () => {
      if (--left === 0) resolve()
      else stream.write(message)
    })
    stream.write(message)
  })
  return ((performance.now() - began) / ROUND_TRIPS) * 1000
}

async function setUp(open) {
  const began = performance.now()
  for (let i = 0; i < SET_UPS; i++) {
    const stream = await open()
    stream.destroy()
    await once(stream, 'close')
  }
  return ((performance.now() - began) / SET_UPS) * 1000
}
