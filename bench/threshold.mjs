// From which size on the pool beats a copy in place: what `fillers.inPlaceBelow` should be.
// node bench/threshold.mjs [threads]
import { GrantServer } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { median, table } from './lib/table.mjs'

const threads = Number(process.argv[2] ?? 2)
const MiB = 1 << 20
const sizes = [1, 2, 4, 8, 16, 32, 64].map((n) => n * MiB)
const pages = sizes.at(-1) / 4096
const xen = await SimulatedXen.create({ limit: 3 * pages, tableCapacity: 3 * pages })
const ways = {
  'in place': { threads, inPlaceBelow: 2 ** 40 },
  pool: { threads, inPlaceBelow: 0 },
}
const servers = {}
const grants = {}
for (const [name, fillers] of Object.entries(ways)) {
  servers[name] = await GrantServer.open({ device: xen, fillers })
  grants[name] = await servers[name].share({ domid: 7, pages })
  await grants[name].fill({ byte: 0 })
}
// Shared: an ArrayBuffer is always copied by its own thread.
const source = new Uint8Array(new SharedArrayBuffer(sizes.at(-1))).fill(1)
const rows = []
for (const size of sizes) {
  const times = { 'in place': [], pool: [] }
  for (let round = 0; round < 15; round++) {
    for (const name of Object.keys(ways)) {
      const { milliseconds } = await grants[name].fill(source.subarray(0, size))
      times[name].push(milliseconds)
    }
  }
  const [a, b] = [median(times['in place']), median(times.pool)]
  rows.push([`${size / MiB} MiB`, a.toFixed(2), b.toFixed(2), (a / b).toFixed(2)])
}
for (const server of Object.values(servers)) await server.close()
await xen.close()
table(
  `A copy from memory, milliseconds, median of 15 (${threads} threads)`,
  ['size', 'in place', 'pool', 'ratio'],
  rows,
)
