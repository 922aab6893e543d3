// share + unshare of one page with so many in flight: this package on a device that does nothing, and on the simulated Xen,
// beside a persistent pool, the bare system calls in C, one comlink call per operation, and two bare round trips between threads:
// with one in flight these are the floor, since share() and unshare() are a round trip each.
// node bench/control-path.mjs [rounds]
import { execFileSync } from 'node:child_process'
import { MessageChannel, Worker } from 'node:worker_threads'
import * as Comlink from 'comlink'
import { GrantServer } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { compile } from './lib/native.mjs'
import { nullDevice } from './lib/null-device.mjs'
import { report } from './lib/results.mjs'

const rounds = Number(process.argv[2] ?? 7)
const calls = compile('calls')

async function inFlight(concurrency, operations, operation) {
  let left = operations
  const one = async () => {
    while (left-- > 0) await operation()
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: concurrency }, one))
  return ((performance.now() - began) / operations) * 1000
}

const server = await GrantServer.open({ device: nullDevice, scrub: false })
const xen = await SimulatedXen.create({ limit: 8192 })
const simulated = await GrantServer.open({ device: xen })
const worker = new Worker(new URL('./lib/comlink-worker.mjs', import.meta.url))
const { port1, port2 } = new MessageChannel()
worker.postMessage(port2, [port2])
const remote = Comlink.wrap(port1)

const { port1: echo, port2: echoed } = new MessageChannel()
const echoer = new Worker(new URL('./lib/echo-worker.mjs', import.meta.url), {
  workerData: { port: echoed },
  transferList: [echoed],
})
const answered = new Map()
echo.on('message', ([id]) => {
  answered.get(id)()
  answered.delete(id)
})
let nextId = 0
/** As long as a request of ours. */
function bareRoundTrip() {
  const id = nextId++
  return new Promise((resolve) => {
    answered.set(id, resolve)
    echo.postMessage([id, 1, 7, 1, 0, 0])
  })
}

const pool = await server.pool({ domid: 7, pages: 1, grants: 512 })

const candidates = {
  'xen-grants, null device': [20_000, () => roundTrip(server)],
  'a GrantPool': [200_000, async () => pool.release(await pool.acquire())],
  'one comlink call each': [4000, () => remoteRoundTrip()],
  'two bare round trips': [
    20_000,
    async () => {
      await bareRoundTrip()
      await bareRoundTrip()
    },
  ],
  'xen-grants, simulated Xen': [400, () => roundTrip(simulated)],
}
async function roundTrip(on) {
  const grant = await on.share({ domid: 7, pages: 1 })
  await grant.unshare()
}
async function remoteRoundTrip() {
  const { index, pages } = await remote.share(7, 1)
  await remote.release(index, pages)
}

const samples = {}
for (const concurrency of [1, 8, 64, 512]) {
  const label = `${concurrency} in flight`
  samples[label] = { 'C, bare system calls': [] }
  for (const name of Object.keys(candidates)) samples[label][name] = []
  for (let round = -1; round < rounds; round++) {
    const [floor] = execFileSync(calls, ['20000'], { encoding: 'utf8' }).split('\n').map(Number)
    if (round >= 0) samples[label]['C, bare system calls'].push(floor / 1000)
    for (const [name, [operations, operation]] of Object.entries(candidates)) {
      const microseconds = await inFlight(concurrency, Math.max(concurrency * 2, operations), operation)
      if (round >= 0) samples[label][name].push(microseconds)
    }
  }
}
await pool.close()
await server.close()
await simulated.close()
await xen.close()
await worker.terminate()
await echoer.terminate()
report('control-path', { title: 'One share and unshare', unit: 'µs', samples })
