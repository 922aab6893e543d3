// Many clients in many processes of many domains, which connect, talk, leave and are killed at random. At full length: 1000
// connections at a time from 10 domains, 4000 and more in all.
import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'
import { Xen } from 'xen-grants'
import { listen } from 'xen-grants/vchan'
import { seedOf } from '../agreement/seed.mjs'
import { finished, node } from '../setup/process.js'
import { full } from '../setup/soak.js'
import { useXen } from '../setup/xen.js'

const DOMAINS = full ? 10 : 2
/** Of each domain, all at a time. */
const PROCESSES = full ? 4 : 2
const AT_ONCE = full ? 25 : 4
/** Of each process. 900 take ten minutes. */
const CONNECTIONS = Number(process.env.XEN_GRANTS_CONNECTIONS) || (full ? 100 : 8)
/** One process of so many is killed, and another one started in its place. */
const MORTAL = 3
const LISTENER = 3

const world = useXen({ limit: 100_000, tableCapacity: 200_000, freePerIteration: 1000 })
const crowd = fileURLToPath(new URL('../fixtures/service-crowd.mjs', import.meta.url))
const children = new Set<ChildProcess>()
let listener: Xen | undefined
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  // Open still when something has failed.
  await listener?.close()
  while ((await world.xen.counters()).sessions > 0) await new Promise((resolve) => setImmediate(resolve))
})

it('nobody hears what another has said, those that live are served, nothing is left of those that die', {
  timeout: full ? 1_800_000 : 120_000,
}, async () => {
  const seed = seedOf(process.env)
  console.log(`XEN_GRANTS_SEED=${seed}`)
  const xen = await Xen.open({ on: world.xen.domain(LISTENER) })
  listener = xen
  const domids = Array.from({ length: DOMAINS }, (_, i) => 10 + i)
  const service = await listen(xen, { name: 'crowd', domids, window: 4096 }, (socket) => {
    socket.on('error', () => {}).pipe(socket)
  })
  const unavailable: unknown[] = []
  service.on('unavailable', (what) => unavailable.push(what))
  let number = 0
  const run = async (domid: number, mortal: boolean): Promise<void> => {
    const options = {
      path: world.xen.path,
      domid,
      server: LISTENER,
      name: 'crowd',
      seed: (seed + 7919 * ++number) >>> 0,
      connections: CONNECTIONS,
      atOnce: AT_ONCE,
      mortal,
    }
    const child = node(crowd, JSON.stringify(options))
    children.add(child)
    const end = await finished(child)
    children.delete(child)
    expect(end, `a process of domain ${domid}`).toMatchObject(
      mortal ? { signal: 'SIGKILL' } : { code: 0, stderr: '' },
    )
    if (mortal) await run(domid, false)
  }
  const all = domids.flatMap((domid) =>
    Array.from({ length: PROCESSES }, (_, i) => run(domid, (domid * PROCESSES + i) % MORTAL === 0)),
  )
  await Promise.all(all)
  expect(unavailable).toEqual([])
  expect(service.stats().accepted).toBeGreaterThanOrEqual(DOMAINS * PROCESSES * CONNECTIONS)
  // Of those killed, whose end the kernel tells.
  await service.close()
  expect(service.connections).toBe(0)
  await xen.close()
})
