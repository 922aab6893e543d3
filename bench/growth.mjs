// What grants alive cost: time per share with so many alive, and memory per grant. On a device that does nothing, so that only
// this package's own growth shows. node --expose-gc bench/growth.mjs [rounds]
import { GrantServer } from 'xen-grants'
import { nullDevice } from './lib/null-device.mjs'
import { report } from './lib/results.mjs'
import { table } from './lib/table.mjs'

const LARGEST = 16_000
const rounds = Number(process.argv[2] ?? 9)
const server = await GrantServer.open({ device: nullDevice, scrub: false })
const samples = {}
const alive = []
const keep = async (count) => {
  const more = Array.from({ length: count - alive.length }, () => server.share({ domid: 8, pages: 1 }))
  alive.push(...(await Promise.all(more)))
}
const memory = () => {
  globalThis.gc?.()
  const { rss, heapUsed } = process.memoryUsage()
  return { rss, heapUsed }
}

async function measure(concurrency, operations) {
  let left = operations
  const one = async () => {
    while (left-- > 0) {
      const grant = await server.share({ domid: 7, pages: 1 })
      await grant.unshare()
    }
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: concurrency }, one))
  return ((performance.now() - began) / operations) * 1000
}

const [before] = [memory(), await keep(LARGEST)]
const after = memory()
const each = (key) => ((after[key] - before[key]) / LARGEST / 1024).toFixed(2)
await Promise.all(alive.splice(0).map((grant) => grant.unshare()))

await measure(64, 30_000)
for (const count of [0, 1000, 4000, LARGEST]) {
  await keep(count)
  samples[`${count} alive`] = { 'xen-grants, 64 in flight': [] }
  for (let round = 0; round < rounds; round++)
    samples[`${count} alive`]['xen-grants, 64 in flight'].push(await measure(64, 10_000))
}
await server.close()
report('growth', { title: 'One share and unshare beside grants alive', unit: 'µs', samples })
table(
  'Memory per grant alive, in KiB',
  ['', 'each'],
  [
    ['heap of the caller', each('heapUsed')],
    ['resident, both threads, with what their heaps keep in reserve', each('rss')],
  ],
)
