// How long the main thread is held while 1 GiB is filled, and while the device takes 50 ms per call, beside what a user would
// write instead. node bench/event-loop.mjs [MiB]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { GrantServer } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { copyAsync, copyInWorker } from './lib/alternatives.mjs'
import { LoopDelay } from './lib/loop-delay.mjs'
import { table } from './lib/table.mjs'

const MiB = 1 << 20
const size = Number(process.argv[2] ?? 1024) * MiB
const folder = mkdtempSync(join(tmpdir(), 'xen-grants-bench-'))
const file = join(folder, 'source')
writeFileSync(file, Buffer.alloc(size, 'x'))

const pages = size / 4096
const xen = await SimulatedXen.create({ limit: 2 * pages, tableCapacity: 2 * pages })
const server = await GrantServer.open({ device: xen })
const rows = []
async function measure(name, work) {
  const delay = new LoopDelay()
  const began = performance.now()
  await work()
  const { p50, p99, max } = delay.stop()
  rows.push([name, (performance.now() - began).toFixed(0), ...[p50, p99, max].map((ms) => ms.toFixed(2))])
}

await measure('idle', () => sleep(500))
const grant = await server.share({ domid: 7, pages })
await measure(`${size / MiB} MiB from a file, first fill`, () => grant.fill({ file }))
await measure(`${size / MiB} MiB from a file, again`, () => grant.fill({ file }))
await measure(`${size / MiB} MiB of one byte`, () => grant.fill({ byte: 1 }))
const bytes = new Uint8Array(new SharedArrayBuffer(size)).fill(1)
await measure(`${size / MiB} MiB from memory`, () => grant.fill(bytes))
await measure('the same copied by set() on main', async () => {
  grant.bytes.set(bytes)
  await sleep(1)
})
await measure('the same copied by memcpy.async of koffi', () => copyAsync(grant.bytes, bytes, size))
await measure('the same copied by a worker of its own', () => copyInWorker(grant.bytes, bytes, size))
await measure('unshare', () => grant.unshare())
await server.close()
await xen.close()

const slow = await SimulatedXen.create({ ioctlDelay: 50 })
const slowServer = await GrantServer.open({ device: slow })
await measure('8 shares, 50 ms per call of the device', async () => {
  await Promise.all(Array.from({ length: 8 }, (_, i) => slowServer.share({ domid: i, pages: 1 })))
})
await slowServer.close()
await slow.close()
rmSync(folder, { recursive: true })

table('Delay of the main thread, in milliseconds', ['while', 'took', 'p50', 'p99', 'longest'], rows)
