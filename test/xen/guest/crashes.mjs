import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { seedOf } from '../../agreement/seed.mjs'
import { eventually } from '../../contract/support.mjs'
import { limit, setFreePerIteration } from './module.mjs'
import { PAGE, peek } from './raw.mjs'

/** At the same time: starting a process takes most of the time here, and one processor is enough for that. */
const AT_ONCE = 3
const LONGEST_LIFE_MS = 200
/** What loaded-server.mjs arms. */
const ARMED_BYTE = 9

/** Milliseconds from ready to killed, one for each process. */
function moments(kills, seed) {
  const [all] = fc.sample(fc.array(fc.nat(LONGEST_LIFE_MS), { minLength: kills, maxLength: kills }), {
    seed,
    numRuns: 1,
  })
  return all
}

/** Starts a server under load, waits until its notifications are armed, and maps those pages as their peer. */
async function startLoaded(t, peers) {
  const server = t.node('loaded-server.mjs')
  const { refs } = JSON.parse(await server.line())
  const mapped = peers.map(refs, { writable: false })
  const armed = () => refs.map((_, page) => peek(mapped.address + page * PAGE + ARMED_BYTE)[0])
  assert.deepEqual(
    armed(),
    refs.map(() => 0xff),
    'armed and not fired',
  )
  return { server, mapped, armed }
}

async function killOne(t, peers, ms) {
  const { server, mapped, armed } = await startLoaded(t, peers)
  await sleep(ms)
  await server.kill('SIGKILL')
  await eventually(() => armed().every((byte) => byte === 0), 'every armed byte is cleared')
  mapped.unmap()
}

/** A test that kills loaded servers, each at a random moment, and then looks for what is left of them. */
export function killing(kills) {
  return {
    name: `a server under load is killed ${kills} times, and nothing of it is left`,
    timeoutMs: 60_000 + 10_000 * kills,
    async run(t) {
      setFreePerIteration(t, 0)
      const seed = seedOf(process.env)
      t.note(`XEN_GRANTS_SEED=${seed}`)
      const waiting = moments(kills, seed)
      const peers = t.gntdev()
      const worker = async () => {
        for (let ms = waiting.pop(); ms !== undefined; ms = waiting.pop()) await killOne(t, peers, ms)
      }
      // One that fails ends the others too: they must not go on starting servers.
      t.defer(() => waiting.splice(0))
      await Promise.all(Array.from({ length: AT_ONCE }, worker))
      const device = t.gntalloc()
      const { index, refs } = device.allocate(0, 1, limit())
      assert.equal(refs.length, limit(), 'the whole limit is free')
      // Zeroed, whatever the servers had written there.
      const address = device.mmap(index, refs.length)
      const length = refs.length * PAGE
      assert.ok(peek(address, length).equals(Buffer.alloc(length)))
      device.munmap(address, length)
      device.deallocate(index, refs.length)
    },
  }
}
