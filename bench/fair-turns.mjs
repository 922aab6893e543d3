// How long a client's share() of one page waits while another client of the same server takes back 1 GiB, beside an idle server.
// The device that does nothing shows what of it is this package's, and not the simulated Xen's.
// node bench/fair-turns.mjs [MiB] [rounds]
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { GrantServer } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { nullDevice } from './lib/null-device.mjs'
import { table } from './lib/table.mjs'

const MiB = Number(process.argv[2] ?? 1024)
const rounds = Number(process.argv[3] ?? 3)
const pages = MiB * 256

/** Of all rounds: share() of one page, in milliseconds. */
async function measure(device, grants) {
  const server = await GrantServer.open({ device })
  const port = server.connect()
  const worker = new Worker(new URL('./lib/sharer.mjs', import.meta.url), {
    workerData: { port },
    transferList: [port],
  })
  const waits = { idle: [], unsharing: [] }
  let took = 0
  const during = async (samples, work) => {
    worker.postMessage('begin')
    await once(worker, 'message')
    const began = performance.now()
    await work()
    took = performance.now() - began
    worker.postMessage('stop')
    const [milliseconds] = await once(worker, 'message')
    samples.push(...milliseconds)
  }
  for (let round = 0; round < rounds; round++) {
    const shared = []
    for (let i = 0; i < grants; i++) shared.push(await server.share({ domid: 7, pages: pages / grants }))
    // As in use: the pages have been touched.
    for (const grant of shared) await grant.fill({ byte: 1 })
    await during(waits.idle, () => sleep(500))
    await during(waits.unsharing, () => Promise.all(shared.map((grant) => grant.unshare())))
  }
  worker.postMessage('end')
  await once(worker, 'exit')
  await server.close()
  return { ...waits, took }
}

function row(name, samples, took) {
  const sorted = samples.toSorted((a, b) => a - b)
  const at = (p) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))].toFixed(2)
  return [name, took === undefined ? '' : took.toFixed(0), sorted.length, at(0.5), at(0.9), at(0.99), at(1)]
}

const rows = []
for (const grants of [1, 4, 256]) {
  const xen = await SimulatedXen.create({ limit: 2 * pages, tableCapacity: 2 * pages })
  for (const [name, device] of [
    ['simulated Xen', xen],
    ['device that does nothing', nullDevice],
  ]) {
    const { idle, unsharing, took } = await measure(device, grants)
    rows.push(row(`${name}, idle`, idle))
    rows.push(row(`${name}, ${MiB} MiB in ${grants} grants unshared`, unsharing, took))
  }
  await xen.close()
}
table(
  'share() of one page, in milliseconds',
  ['while', 'took', 'shares', 'median', 'p90', 'p99', 'longest'],
  rows,
)
