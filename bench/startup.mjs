// Import, open, first fill, and the memory of it, each in a fresh process.
import { spawnSync } from 'node:child_process'
import { report } from './lib/results.mjs'

const rounds = Number(process.argv[2] ?? 9)
const program = `
const t0 = performance.now()
const rss0 = process.memoryUsage().rss
const { GrantServer } = await import('xen-grants')
const t1 = performance.now()
const { nullDevice } = await import('./bench/lib/null-device.mjs')
const t2 = performance.now()
const server = await GrantServer.open({ device: nullDevice, scrub: false, fillers: { threads: 2, inPlaceBelow: 0 } })
const t3 = performance.now()
const grant = await server.share({ domid: 7, pages: 1 })
await Promise.all([grant.fill({ byte: 0 }), grant.fill({ byte: 0 })])
const rss1 = process.memoryUsage().rss
await server.close()
console.log(JSON.stringify({ import: t1 - t0, open: t3 - t2, fill: performance.now() - t3, rss: (rss1 - rss0) / 2 ** 20 }))
`
const samples = {
  import: { 'xen-grants': [] },
  'open()': { 'xen-grants': [] },
  'memory, two fillers': { 'xen-grants': [] },
}
for (let round = 0; round < rounds; round++) {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  })
  if (stderr) throw new Error(stderr)
  const measured = JSON.parse(stdout)
  samples.import['xen-grants'].push(measured.import)
  samples['open()']['xen-grants'].push(measured.open)
  samples['memory, two fillers']['xen-grants'].push(measured.rss)
}
report('startup', { title: 'Starting', unit: 'ms, MiB for memory', samples })
