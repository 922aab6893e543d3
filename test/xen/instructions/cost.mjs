import assert from 'node:assert/strict'
import { PerformanceObserver } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { GrantServer } from '../../../dist/src/index.js'

const TOGETHER = 64
const ROUNDS = 40
/** Shares until V8 has compiled what counts. */
const WARM_UP = 200 * TOGETHER
/** What a page may cost, in thousands of instructions: one of 64 at once, touched, and one alone. libxengnttab takes 31 and 35. */
const MOST = { together: 115, alone: 260 }
/** Share of the client thread's time that V8 may spend collecting garbage, in a loop of 64 at once. */
const MOST_GARBAGE = 0.1

/** Instructions since `began`, in thousands for each of them: the guest's clock counts one nanosecond for each. */
function kiloInstructions(began, count) {
  return ((performance.now() - began) * 1e3) / count
}

async function round(server, count) {
  let began = performance.now()
  const sharing = Array.from({ length: count }, () => server.share({ domid: 0, pages: 1, writable: true }))
  const grants = await Promise.all(sharing)
  const share = kiloInstructions(began, count)
  began = performance.now()
  for (const { bytes } of grants) bytes[0] = 1
  const touch = kiloInstructions(began, count)
  began = performance.now()
  await Promise.all(grants.map((grant) => grant.unshare()))
  return { share, touch, unshare: kiloInstructions(began, count) }
}

function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1]
}

async function measure(t, count, most) {
  const server = await GrantServer.open({ headroom: 0 })
  for (let i = 0; i < WARM_UP / count; i++) await round(server, count)
  const rounds = []
  for (let i = 0; i < ROUNDS; i++) rounds.push(await round(server, count))
  await server.close()
  const [share, touch, unshare] = ['share', 'touch', 'unshare'].map((part) =>
    median(rounds.map((one) => one[part])),
  )
  const cost = { share, touch, unshare, all: share + touch + unshare }
  const told = Object.entries(cost).map(([part, kilo]) => `${part} ${kilo.toFixed(1)}`)
  t.note(`thousands of instructions for each: ${told.join(', ')}`)
  assert.ok(cost.all <= most, `more than ${most} thousand instructions: ${told.join(', ')}`)
}

export default {
  name: 'cost in instructions',
  tests: [
    {
      name: `${TOGETHER} single pages at once: share, touch and unshare`,
      timeoutMs: 300_000,
      run: (t) => measure(t, TOGETHER, MOST.together),
    },
    {
      name: 'a single page alone: share, touch and unshare',
      timeoutMs: 300_000,
      run: (t) => measure(t, 1, MOST.alone),
    },
    {
      name: `garbage collection in the client's thread, ${TOGETHER} at once`,
      timeoutMs: 300_000,
      async run(t) {
        const server = await GrantServer.open({ headroom: 0 })
        for (let i = 0; i < WARM_UP / TOGETHER; i++) await round(server, TOGETHER)
        let collecting = 0
        const observer = new PerformanceObserver((list) => {
          for (const { duration } of list.getEntries()) collecting += duration
        })
        observer.observe({ entryTypes: ['gc'] })
        const began = performance.eventLoopUtilization()
        for (let i = 0; i < 10 * ROUNDS; i++) await round(server, TOGETHER)
        const { active } = performance.eventLoopUtilization(began)
        // Entries are delivered by the event loop.
        await turn()
        observer.disconnect()
        await server.close()
        const share = collecting / active
        t.note(`${(share * 100).toFixed(1)} % of the time in which the thread was not idle`)
        assert.ok(share <= MOST_GARBAGE, `${share} is more than ${MOST_GARBAGE}`)
      },
    },
  ],
}
