// A file from one process to another, as domains 3 and 5 of a simulated Xen, beside the same through a Unix socket, and beside
// one SHA-256 alone; how long it takes, and how long the processors are busy: node bench/services.mjs [rounds] [MiB]
import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { connect as connectSocket, createServer } from 'node:net'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Xen } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { connect, listen } from 'xen-grants/vchan'
import { receiveFile } from '../dist/src/net/transfer/receive-file.js'
import { sendFile } from '../dist/src/net/transfer/send-file.js'
import { report } from './lib/results.mjs'

const MIB = 1 << 20
const [SERVER, CLIENT] = [3, 5]
/** What the first byte of a connection asks for. */
const PLAIN = 0
const WHOLE = 1
const HASHED = 2

if (process.env.XEN_GRANTS_BENCH_PEER) await peer(JSON.parse(process.env.XEN_GRANTS_BENCH_PEER))
else await main(Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 1024) * MIB)

/** The sender. */
async function peer({ place, file, bytes }) {
  const simulated = await SimulatedXen.attach(place)
  const xen = await Xen.open({ on: simulated.domain(SERVER) })
  const give = async (stream) => {
    stream.on('error', () => {})
    const [kind] = await new Promise((resolve) => stream.once('data', resolve))
    if (kind === PLAIN) return pipeline(createReadStream(file, { highWaterMark: MIB }), stream)
    const handle = await open(file)
    const read = async (into) => (await handle.read(into, 0, into.length)).bytesRead
    await sendFile(stream, { name: 'bench', size: bytes, read }, { hash: kind === HASHED })
    await handle.close()
    stream.destroy()
  }
  const sockets = createServer({ allowHalfOpen: true }, give)
  await once(sockets.listen(`${place}/bench`), 'listening')
  const service = await listen(xen, { name: 'bench', domids: [CLIENT], window: MIB }, give)
  process.on('message', () => process.send(busy()))
  process.send(busy())
  await once(process, 'disconnect')
  sockets.close()
  await service.close()
  await xen.close()
  await simulated.close()
}

/** Milliseconds of processor time that this process has taken. */
function busy() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

async function main(rounds, bytes) {
  const folder = mkdtempSync('/dev/shm/xen-grants-bench-')
  const file = join(folder, 'sent')
  const copy = join(folder, 'received')
  await makeFile(file, bytes)
  const simulated = await SimulatedXen.create({ limit: 8192 })
  const xen = await Xen.open({ on: simulated.domain(CLIENT) })
  const child = fork(import.meta.filename, {
    env: { ...process.env, XEN_GRANTS_BENCH_PEER: JSON.stringify({ place: simulated.path, file, bytes }) },
  })
  const exited = once(child, 'exit')
  await once(child, 'message')

  const socket = async () => {
    const stream = connectSocket(`${simulated.path}/bench`)
    await once(stream, 'connect')
    return stream
  }
  const vchan = () => connect(xen, { domid: SERVER, name: 'bench' })
  const candidates = {
    'a Unix socket': [socket, PLAIN],
    'a service, plain': [vchan, PLAIN],
    'send and receive, --no-hash': [vchan, WHOLE],
    'send and receive': [vchan, HASHED],
  }
  const names = [...Object.keys(candidates), 'one SHA-256']
  const samples = { 'to a file': {}, 'to nowhere': {} }
  const costs = { 'to a file': {}, 'to nowhere': {} }
  const bothBusy = async () => {
    child.send('')
    const [other] = await once(child, 'message')
    return busy() + other
  }
  for (let round = -1; round < rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round + 1) % names.length]
      for (const [label, rows] of Object.entries(samples)) {
        const before = await bothBusy()
        const began = performance.now()
        if (name in candidates) await take(...candidates[name], label === 'to a file' ? copy : '/dev/null')
        else await pipeline(createReadStream(file, { highWaterMark: MIB }), createHash('sha256'))
        const figure = bytes / MIB / ((performance.now() - began) / 1000)
        const cost = ((await bothBusy()) - before) / (bytes / (1024 * MIB))
        rmSync(copy, { force: true })
        rows[name] ??= []
        costs[label][name] ??= []
        if (round >= 0) {
          rows[name].push(figure)
          costs[label][name].push(cost)
        }
      }
    }
  }
  child.disconnect()
  await exited
  await xen.close()
  await simulated.close()
  rmSync(folder, { recursive: true })
  report('services-file', {
    title: 'A file from one process to another',
    unit: 'MiB/s',
    lowerIsBetter: false,
    baseline: 'a Unix socket',
    samples,
  })
  report('services-file-cost', {
    title: 'The same, processor time of both processes',
    unit: 'ms per GiB',
    baseline: 'a Unix socket',
    samples: costs,
  })
}

async function take(open, kind, path) {
  const stream = await open()
  stream.write(Buffer.of(kind))
  const output = createWriteStream(path, { highWaterMark: 4 * MIB })
  if (kind === PLAIN) return pipeline(stream, output)
  const flush = async () => {
    output.end()
    await once(output, 'close')
  }
  await receiveFile(stream, { open: async () => ({ output, flush, commit: async () => {} }) })
}

async function makeFile(path, bytes) {
  const output = createWriteStream(path)
  const block = Buffer.alloc(MIB, 'some bytes of a file')
  for (let left = bytes; left > 0; left -= MIB) if (!output.write(block)) await once(output, 'drain')
  output.end()
  await once(output, 'close')
}
