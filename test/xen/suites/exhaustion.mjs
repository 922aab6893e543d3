import assert from 'node:assert/strict'
import fc from 'fast-check'
import { GrantServer } from 'xen-grants'
import { seedOf } from '../../agreement/seed.mjs'
import { assertFree, isFree } from '../guest/free.mjs'
import { limit, RESERVE, reloadGntalloc, setLimit } from '../guest/module.mjs'

// Every way to run out of space, through the public API, a hundred times each: docs/enospc.md.

const ROUNDS = 100
const TABLE = 32_768
/** More than the grant table has entries. */
const NO_LIMIT = 1_000_000
/** Left for the server to use up. Few, since every page of a grant costs a page of mapping and scrubbing. */
const ROOM = 80
/** Entries of the table that are kept for finding out how far the driver's count is off: more than that can be. */
const SPARE = 3000

const request = fc.record({
  pages: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 40 })),
  domid: fc.constantFrom(0, 0, 5),
  writable: fc.boolean(),
})
const round = fc.record({
  room: fc.nat(ROOM),
  wave: fc.array(request, { minLength: 1, maxLength: 8 }),
})

function rounds(t) {
  const seed = seedOf(process.env)
  t.note(`XEN_GRANTS_SEED=${seed}`)
  return fc.sample(round, { seed, numRuns: ROUNDS })
}

async function open(t, options) {
  const server = await GrantServer.open(options)
  t.defer(() => server.close({ force: true }))
  return server
}

const pagesOf = (requests) => requests.reduce((sum, { pages }) => sum + pages, 0)

/**
 * Asks for all of a wave at the same time, so that requests are merged and split, then for more, until one is refused.
 */
async function exhaust(server, wave) {
  const grants = []
  for (let requests = wave; ; ) {
    if (requests.length <= 8 && pagesOf(requests) < ROOM / 2) requests = [...requests, ...requests]
    const asked = await Promise.allSettled(requests.map((options) => server.share(options)))
    grants.push(...asked.flatMap(({ value }) => value ?? []))
    const refused = asked.flatMap(({ reason }) => reason ?? [])
    if (refused.length > 0) return { grants, refused }
  }
}

/** Uses up exactly this room, gives it back, and holds every refusal against what was left. @returns how many refusals */
async function exhaustAndGiveBack(server, { room, wave }, reason) {
  const { grants, refused } = await exhaust(server, wave)
  const taken = pagesOf(grants)
  assert.ok(taken <= room, `${taken} pages in room for ${room}`)
  for (const error of refused) {
    const { name, code, errno, pages } = error
    assert.deepEqual(
      { name, code, errno, reason: error.reason },
      { name: 'GrantError', code: 'ENOSPC', errno: -28, reason },
      error.message,
    )
    assert.ok(pages > room - taken, `${pages} pages were refused with ${room - taken} left`)
  }
  const { domains } = await server.stats()
  assert.equal(
    Object.values(domains).reduce((sum, pages) => sum + pages, 0),
    taken,
  )
  await Promise.all(grants.map((grant) => grant.unshare()))
  return refused.length
}

/** How many pages the driver counts as free, of which it tells nobody. */
function countedFree(device) {
  let pages = 0
  for (let step = 2 ** 16; step >= 1; step /= 2) {
    if (isFree(device, pages + step)) pages += step
  }
  return pages
}

/** Takes entries of the grant table until none is left. @returns how many that were */
function fillTable(device) {
  let taken = 0
  for (let step = 1024; step >= 1; ) {
    try {
      device.allocate(0, 0, step)
      taken += step
    } catch (error) {
      if (error.code !== 'ENOSPC') throw error
      step = Math.floor(step / 2)
    }
  }
  return taken
}

export default {
  name: 'exhaustion',
  tests: [
    {
      name: `the driver's limit, ${ROUNDS} times: the reason is right, nobody who fits is refused, all of it comes back`,
      timeoutMs: 180_000,
      async run(t) {
        // Its own budget would refuse first.
        const server = await open(t, { maxPages: NO_LIMIT })
        const before = limit()
        setLimit(t, 2 * ROOM)
        const others = t.gntalloc()
        const device = t.gntalloc()
        let refusals = 0
        for (const drawn of rounds(t)) {
          const held = limit() - RESERVE - drawn.room
          const { index } = others.allocate(0, 0, held)
          refusals += await exhaustAndGiveBack(server, drawn, 'limit')
          assertFree(device, drawn.room, 'what the round had taken')
          others.deallocate(index, held)
        }
        t.note(`${ROUNDS} rounds, ${refusals} refusals`)
        setLimit(t, before)
        assertFree(device, limit() - RESERVE, 'the whole limit')
        await server.close()
        assertFree(device, limit(), 'the reserve too')
      },
    },
    {
      name: `the server's part of the grant table, ${ROUNDS} times: the driver is not asked to fail and loses no count`,
      timeoutMs: 180_000,
      async run(t) {
        const before = limit()
        setLimit(t, NO_LIMIT)
        const server = await open(t, { headroom: TABLE - RESERVE - ROOM })
        let refusals = 0
        for (const { wave } of rounds(t))
          refusals += await exhaustAndGiveBack(server, { room: ROOM, wave }, 'grant-table')
        t.note(`${ROUNDS} rounds, ${refusals} refusals`)
        setLimit(t, before)
        assertFree(t.gntalloc(), before - RESERVE, 'the whole limit')
      },
    },
    {
      name: `the grant table itself, ${ROUNDS} times: the reason is right, the count is off by one for each failed call, no more`,
      timeoutMs: 180_000,
      async run(t) {
        // Without this the driver's lost count would wedge it for whatever comes next.
        t.defer(reloadGntalloc)
        const before = limit()
        setLimit(t, NO_LIMIT)
        const server = await open(t)
        const [bulk, spare, rest, device] = [t.gntalloc(), t.gntalloc(), t.gntalloc(), t.gntalloc()]
        // Before the first failure: what is held here is what keeps the driver from being wedged meanwhile.
        const first = 20_000
        bulk.allocate(0, 0, first)
        const probe = t.gntalloc()
        const second = fillTable(probe) - SPARE
        probe.close()
        bulk.allocate(0, 0, second)
        const held = first + second
        const lost = () => {
          setLimit(t, held + RESERVE)
          const pages = countedFree(device)
          setLimit(t, NO_LIMIT)
          return pages
        }
        const lostBefore = lost()
        spare.allocate(0, 0, SPARE - ROOM)
        let refusals = 0
        for (const drawn of rounds(t)) {
          const { index } = rest.allocate(0, 0, ROOM - drawn.room)
          refusals += await exhaustAndGiveBack(server, drawn, 'grant-table')
          // No entry of the table is lost. To ask for one more would be another failure.
          const again = device.allocate(0, 0, drawn.room)
          if (drawn.room > 0) device.deallocate(again.index, drawn.room)
          if (drawn.room < ROOM) rest.deallocate(index, ROOM - drawn.room)
        }
        spare.close()
        const drift = lost() - lostBefore
        t.note(`${ROUNDS} rounds, ${refusals} refusals, the driver's count is ${drift} too low`)
        // One for each request tried alone, one for each merged call.
        assert.ok(drift >= ROUNDS && drift <= 2 * refusals, `${drift} failed calls for ${refusals} refusals`)

        await server.close()
        for (const one of [bulk, rest, device]) one.close()
        setLimit(t, before)
        const last = await open(t)
        await assert.rejects(last.share({ domid: 0, pages: 1 }), { code: 'ENOSPC', reason: 'wedged' })
        await last.close()
        reloadGntalloc()
        assertFree(t.gntalloc(), limit(), 'after the advice in the error was followed, the whole limit')
      },
    },
  ],
}
