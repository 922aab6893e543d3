import { writeFileSync } from 'node:fs'
import { GrantServer } from '../../dist/src/index.js'
import { summary } from './programs/statistics.mjs'
import { talk } from './programs/talk.mjs'

const LIMIT = '/sys/module/xen_gntalloc/parameters/limit'
const ROUNDS = 5
/** Emulated, so that one round of a case takes a few tenths of a second. */
const PAGES_PER_ROUND = 256
/** Grant table entries, less what dom0 and rounding need: the library, the server and its pool hold theirs at the same time. */
const ROOM = 32_500

const cases = [1, 16, 256].flatMap((pages) => [1, 64, 256].map((flight) => ({ pages, flight })))

/** What the targets say of a case: the rate beside that of libxengnttab. */
function target({ pages, flight }, alive) {
  if (pages === 1 && flight === 64) return alive === 0 ? '>= 1.5' : '>= 3'
  if (pages === 256 && flight === 1) return '>= 0.8'
  return undefined
}

async function nanoseconds(repeat, work) {
  const began = performance.now()
  for (let i = 0; i < repeat; i++) await work()
  return (performance.now() - began) * 1e6
}

function all(count, make) {
  return Promise.all(Array.from({ length: count }, make))
}

/** Long enough for V8 to have compiled what counts: emulated, that takes ten seconds, and what is measured before is V8. */
async function warmUp(server) {
  const pages = 1
  for (let i = 0; i < 160; i++) {
    const grants = await all(64, () => server.share({ domid: 0, pages, writable: true }))
    await Promise.all(grants.map((grant) => grant.unshare()))
  }
  for (let i = 0; i < 60; i++) await (await server.share({ domid: 0, pages: 256, writable: true })).unshare()
}

async function measure(server, { pages, flight }, alive) {
  const repeat = Math.max(1, Math.round(PAGES_PER_ROUND / (pages * flight)))
  const c = talk('/peers/share_rate', pages, flight, alive)
  await c.line()
  const pool = await server.pool({ domid: 0, pages, grants: flight, writable: true })
  const ways = {
    node: () =>
      nanoseconds(repeat, async () => {
        const grants = await all(flight, () => server.share({ domid: 0, pages, writable: true }))
        await Promise.all(grants.map((grant) => grant.unshare()))
      }),
    pool: () =>
      nanoseconds(repeat, async () => {
        const grants = await all(flight, () => pool.acquire())
        await Promise.all(grants.map((grant) => pool.release(grant)))
      }),
    c: async () => Number(await c.ask(repeat)),
  }
  const perSecond = { node: [], pool: [], c: [] }
  for (let round = -1; round < ROUNDS; round++) {
    for (const [way, run] of Object.entries(ways)) {
      const rate = (repeat * flight * 1e9) / (await run())
      // The first is for warming up.
      if (round >= 0) perSecond[way].push(rate)
    }
  }
  await pool.close()
  await c.end()
  const [node, pooled, library] = [perSecond.node, perSecond.pool, perSecond.c].map(summary)
  return {
    what: `${pages} page(s), ${flight} in flight, ${alive} alive`,
    node,
    pool: pooled,
    c: library,
    ratio: node.median / library.median,
    target: target({ pages, flight }, alive),
  }
}

async function compare(alive) {
  writeFileSync(LIMIT, '120000')
  const server = await GrantServer.open({ headroom: 0, maxPages: 60_000 })
  for (let shared = 0; shared < alive; shared += 100)
    await all(100, () => server.share({ domid: 0, pages: 1, writable: true }))
  await warmUp(server)
  const rows = []
  for (const one of cases) {
    if (2 * alive + 3 * one.pages * one.flight > ROOM) continue
    rows.push(await measure(server, one, alive))
  }
  await server.close()
  return { unit: 'share+unshare per second', rows }
}

export default {
  name: 'share and unshare',
  tests: [
    { name: 'beside libxengnttab, no other grants alive', timeoutMs: 300_000, run: () => compare(0) },
    {
      name: 'beside libxengnttab, 16 000 single-page grants of each alive',
      timeoutMs: 300_000,
      run: () => compare(16_000),
    },
  ],
}
