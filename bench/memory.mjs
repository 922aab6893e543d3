// Resident memory over many rounds of share, fill and unshare: flat after warm-up, or something leaks.
// node --expose-gc bench/memory.mjs [rounds]
import { GrantServer } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { table } from './lib/table.mjs'

const rounds = Number(process.argv[2] ?? 1000)
const MiB = 1 << 20
const xen = await SimulatedXen.create({ limit: 8192 })
const server = await GrantServer.open({ device: xen, fillers: { inPlaceBelow: 0 } })
// Shared: an ArrayBuffer is copied by its own thread, not in the pool.
const source = new Uint8Array(new SharedArrayBuffer(MiB)).fill(1)
const rows = []
let warm
for (let round = 1; round <= rounds; round++) {
  const grant = await server.share({ domid: 7, pages: 256 })
  await grant.fill(source)
  if (grant.bytes[0] !== 1) throw new Error('not filled')
  await grant.unshare()
  if (round % Math.ceil(rounds / 10) === 0) {
    globalThis.gc?.()
    const { rss, heapUsed, external } = process.memoryUsage()
    if (round > rounds / 5) warm ??= rss
    rows.push([round, ...[rss, heapUsed, external].map((bytes) => (bytes / MiB).toFixed(1))])
    if (round === rounds) rows.push(['growth since warm-up', ((rss - warm) / MiB).toFixed(1), '', ''])
  }
}
await server.close()
await xen.close()
table(
  'Memory in MiB after so many rounds of share, fill 1 MiB in the pool, unshare',
  ['round', 'rss', 'heap', 'external'],
  rows,
)
