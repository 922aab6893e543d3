// What grants alive cost: time per share with so many alive, and memory per grant. On a device that does nothing, so that only
// this package's own growth shows. node --expose-gc bench/growth.mjs [rounds]
import { GrantServer } from 'xen-grants'
import { nullDevice } from './lib/null-device.mjs'
import { report } from './lib/results.mjs'
import { table } from './lib/table.mjs'

const rounds = Number(process.argv[2] ?? 9)
const server = await GrantServer.open({ device: nullDevice, scrub: false })
const samples = {}
const memory = []
const alive = []
const rss = () => {
  globalThis.gc?.()
  return process.memoryUsage().rss
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

await measure(64, 30_000)
let before = rss()
for (const count of [0, 1000, 4000, 16_000]) {
  const more = count - alive.length
  alive.push(...(await Promise.all(Array.from({ length: more }, () => server.share({ domid: 8, pages: 1 })))))
  const now = rss()
  if (more > 0) memory.push([count, ((now - before) / more / 1024).toFixed(2)])
  samples[`${count} alive`] = { 'xen-grants, 64 in flight': [] }
  for (let round = 0; round < rounds; round++)
    samples[`${count} alive`]['xen-grants, 64 in flight'].push(await measure(64, 10_000))
  before = rss()
}
await server.close()
report('growth', { title: 'One share and unshare beside grants alive', unit: 'µs', samples })
table('Memory per grant alive, both threads', ['alive', 'KiB each'], memory)
