import { writeFileSync } from 'node:fs'
import { GrantServer } from '../../dist/src/index.js'
import { all, compare, inC, timed } from './programs/compare.mjs'

const LIMIT = '/sys/module/xen_gntalloc/parameters/limit'
/** So that one round of a case takes a few tens of milliseconds: pages, and requests. */
const PAGES_PER_ROUND = 256
const TURNS_PER_ROUND = 64
/** Grant table entries, less what dom0 and rounding need: the library, the server and its pool hold theirs at the same time. */
const ROOM = 32_500
const TEN_MINUTES = 600_000

const cases = [1, 16, 256].flatMap((pages) => [1, 64, 256].map((flight) => ({ pages, flight })))

/** What a page or a grant is to cost at most, in thousands of instructions. */
function targets({ pages, flight }, alive) {
  if (pages === 1 && flight === 1 && alive === 0) return { untouched: 200 }
  if (pages === 1 && flight === 64) return alive === 0 ? { untouched: 70, touched: 95 } : { untouched: 230 }
  if (pages === 256 && flight === 1 && alive === 0) return { untouched: 2000 }
  return {}
}

function pair(server, pages, flight, touch) {
  return async () => {
    const grants = await all(flight, () => server.share({ domid: 0, pages, writable: true }))
    if (touch) for (const { bytes } of grants) bytes[0] = 1
    await Promise.all(grants.map((grant) => grant.unshare()))
  }
}

/** So many of its operations, of which each call does `each`. */
function repeated(work, each) {
  return (operations) =>
    timed(async () => {
      for (let left = operations; left > 0; left -= each) await work()
    })
}

/** Until V8 has compiled what counts: what is measured before is V8. */
async function warmUp(server) {
  for (let i = 0; i < 200; i++) await pair(server, 1, 64, true)()
  for (let i = 0; i < 2000; i++) await pair(server, 1, 1, true)()
  for (let i = 0; i < 40; i++) await pair(server, 256, 1, true)()
}

async function open(alive) {
  writeFileSync(LIMIT, '120000')
  const server = await GrantServer.open({ headroom: 0, maxPages: 60_000 })
  for (let shared = 0; shared < alive; shared += 100)
    await all(100, () => server.share({ domid: 0, pages: 1, writable: true }))
  await warmUp(server)
  return server
}

async function measure(server, one, alive) {
  const { pages, flight } = one
  const turns = Math.min(TURNS_PER_ROUND, Math.max(1, Math.round(PAGES_PER_ROUND / (pages * flight))))
  const operations = flight * turns
  const c = await inC('share_rate', [pages, flight, alive], { each: flight })
  const name = `${pages} page${pages > 1 ? 's' : ''}, ${flight} at once`
  const wanted = targets(one, alive)
  const rows = []
  for (const touched of ['untouched', 'touched']) {
    const ours = repeated(pair(server, pages, flight, touched === 'touched'), flight)
    const most = wanted[touched] && { most: wanted[touched] }
    rows.push(
      await compare(`${name}, ${touched}`, operations, { 'xen-grants': ours, libxengnttab: c.run }, most),
    )
  }
  await c.end()
  return rows
}

async function compared(alive, which, more = () => []) {
  const server = await open(alive)
  const rows = []
  for (const one of which) {
    if (2 * alive + 3 * one.pages * one.flight > ROOM) continue
    rows.push(...(await measure(server, one, alive)))
  }
  rows.push(...(await more(server)))
  await server.close()
  return { rows }
}

async function pooled(server) {
  const flight = 64
  const pool = await server.pool({ domid: 0, pages: 1, grants: flight, writable: true })
  const c = await inC('share_rate', [1, flight, 0], { each: flight })
  const ours = repeated(async () => {
    const grants = await all(flight, () => pool.acquire())
    await Promise.all(grants.map((grant) => pool.release(grant)))
  }, flight)
  // V8 needs more of what is this short.
  for (let i = 0; i < 500; i++) await ours(flight)
  const byTry = repeated(async () => {
    const grants = []
    for (let i = 0; i < flight; i++) grants.push(pool.tryAcquire())
    for (const grant of grants) pool.release(grant)
  }, flight)
  for (let i = 0; i < 500; i++) await byTry(flight)
  const row = (how, way) => {
    const ways = { 'xen-grants': way, libxengnttab: c.run }
    return compare(`${how} and release from a pool, zeroed, 64 at once`, 16 * flight, ways, { most: 4 })
  }
  const rows = [await row('acquire', ours), await row('tryAcquire', byTry)]
  await pool.close()
  await c.end()
  return rows
}

const guarded = [
  { pages: 1, flight: 64 },
  { pages: 1, flight: 1 },
  { pages: 256, flight: 1 },
]
const isGuarded = ({ pages, flight }) => guarded.some((one) => one.pages === pages && one.flight === flight)

export default {
  name: 'share and unshare',
  tests: [
    {
      name: 'the usual',
      guarded: true,
      timeoutMs: TEN_MINUTES,
      run: () => compared(0, guarded, pooled),
    },
    {
      name: 'more at once',
      timeoutMs: TEN_MINUTES,
      run: () =>
        compared(
          0,
          cases.filter((one) => !isGuarded(one)),
        ),
    },
    {
      name: 'beside 16 000 single pages of each alive',
      timeoutMs: TEN_MINUTES,
      run: () => compared(16_000, cases),
    },
  ],
}
