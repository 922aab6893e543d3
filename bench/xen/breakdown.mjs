import { readdirSync, readFileSync } from 'node:fs'
import { PerformanceObserver } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { GrantMapper, GrantServer } from '../../dist/src/index.js'
import { all, compare, inC, timed } from './programs/compare.mjs'
import { observedGrants, observedMaps } from './programs/observed-device.mjs'
import { row, summary } from './programs/statistics.mjs'

const TASKS = '/proc/self/task'
/** V8 may spend so much of the time of the client's thread collecting garbage, in a loop of 64 at once. */
const MOST_GARBAGE = 0.1

/** Nanoseconds that each thread of this process has run, by the scheduler's account, and of those in the kernel and in Xen. */
function threads() {
  const found = new Map()
  for (const id of readdirSync(TASKS)) {
    const ran = Number(readFileSync(`${TASKS}/${id}/schedstat`, 'utf8').split(' ')[0])
    // After the name, which may have spaces: the 14th and the 15th field are the ticks in user and in kernel mode.
    const fields = readFileSync(`${TASKS}/${id}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
    const [user, system] = [Number(fields[11]), Number(fields[12])]
    found.set(Number(id), { ran, user, system })
  }
  return found
}

/** What has been added to each since. */
function since(before) {
  const none = { ran: 0, user: 0, system: 0 }
  return new Map(
    [...threads()].map(([id, { ran, user, system }]) => {
      const earlier = before.get(id) ?? none
      return [id, { ran: ran - earlier.ran, user: user - earlier.user, system: system - earlier.system }]
    }),
  )
}

const kernelShare = ({ user, system }) => (user + system === 0 ? 0 : system / (user + system))

/** Grants, and takes them back. */
async function granting(flight, collecting) {
  const server = await GrantServer.open({ headroom: 0, device: observedGrants(collecting) })
  const round = async () => {
    const grants = await all(flight, () => server.share({ domid: 0, pages: 1, writable: true }))
    await Promise.all(grants.map((grant) => grant.unshare()))
  }
  const most = MOST_GARBAGE
  return { round, close: () => server.close(), program: ['share_rate', [1, flight, 0]], most }
}

/** Maps grants of its own, and unmaps them. */
async function mapping(flight, collecting) {
  const server = await GrantServer.open({ headroom: 0 })
  const mapper = await GrantMapper.open({ device: observedMaps(collecting) })
  const grants = await all(flight, () => server.share({ domid: 0, pages: 1, writable: true }))
  const round = async () => {
    const mapped = await Promise.all(grants.map(({ refs }) => mapper.map({ domid: 0, refs, writable: true })))
    await Promise.all(mapped.map((one) => one.unmap()))
  }
  const close = async () => {
    await mapper.close()
    await server.close()
  }
  return { round, close, program: ['map_rate', [1, flight, ...grants.map(({ refs }) => refs[0])]] }
}

async function breakdown(what, flight, rounds) {
  const before = threads()
  const inWorker = new Float64Array(new SharedArrayBuffer(8))
  const { round, close, program, most } = await what(flight, inWorker.buffer)
  for (let left = 12_800; left > 0; left -= flight) await round()
  // The busiest of the threads that are new.
  const [worker] = [...since(before)]
    .filter(([id]) => !before.has(id))
    .sort(([, a], [, b]) => b.ran - a.ran)[0]

  let collecting = 0
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) collecting += duration * 1e6
  })
  observer.observe({ entryTypes: ['gc'] })
  const [workerBefore, began] = [inWorker[0], threads()]
  for (let i = 0; i < rounds; i++) await round()
  const ran = since(began)
  // Entries are delivered by the event loop.
  await turn()
  observer.disconnect()
  const collectingThere = inWorker[0] - workerBefore

  const c = await inC(...program, { each: flight })
  const nanosecondsInC = (await c.run(20 * flight)) / (20 * flight)
  await c.end()
  await close()

  const count = rounds * flight
  const kilo = (nanoseconds) => summary([nanoseconds / count / 1000])
  const client = ran.get(process.pid)
  const device = ran.get(worker)
  const others = [...ran].filter(([id]) => id !== process.pid && id !== worker)
  const part = (what, nanoseconds) => row(what, { 'thousands of instructions': kilo(nanoseconds) })
  return {
    unit: 'thousands of instructions for each',
    rows: [
      part("client's thread, JavaScript", client.ran * (1 - kernelShare(client)) - collecting),
      part("client's thread, garbage collection", collecting),
      part("client's thread, kernel and Xen", client.ran * kernelShare(client)),
      part('device worker, JavaScript', device.ran * (1 - kernelShare(device)) - collectingThere),
      part('device worker, garbage collection', collectingThere),
      part('device worker, kernel and Xen', device.ran * kernelShare(device)),
      part(
        'other threads of V8 and Node',
        others.reduce((sum, [, { ran: nanoseconds }]) => sum + nanoseconds, 0),
      ),
      row('the same in C, all of it', { libxengnttab: summary([nanosecondsInC / 1000]) }),
      row(
        "garbage collection, part of the client's thread",
        { part: summary([collecting / client.ran]) },
        most && { most },
      ),
    ],
  }
}

/** What of a large grant is scrubbing, which C does not. */
async function scrubbing(pages, rounds) {
  const ways = {}
  const servers = []
  for (const [way, scrub] of Object.entries({ 'xen-grants': true, 'without scrubbing': false })) {
    const server = await GrantServer.open({ headroom: 0, scrub })
    servers.push(server)
    ways[way] = (operations) =>
      timed(async () => {
        for (let left = operations; left > 0; left--) {
          const grant = await server.share({ domid: 0, pages, writable: true })
          await grant.unshare()
        }
      })
    await ways[way](rounds)
  }
  const c = await inC('share_rate', [pages, 1, 0])
  const rows = [await compare(`${pages} pages, alone`, 10, { ...ways, libxengnttab: c.run })]
  await c.end()
  for (const server of servers) await server.close()
  return { rows }
}

export default {
  name: 'where a share and its end go',
  tests: [
    { name: 'one alone', timeoutMs: 600_000, run: () => breakdown(granting, 1, 1500) },
    { name: '64 at once', timeoutMs: 600_000, run: () => breakdown(granting, 64, 200) },
    { name: '64 mappings at once', timeoutMs: 600_000, run: () => breakdown(mapping, 64, 200) },
    { name: 'scrubbing', timeoutMs: 600_000, run: () => scrubbing(256, 100) },
  ],
}
