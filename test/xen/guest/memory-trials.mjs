import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { GrantServer } from 'xen-grants'
import { seedOf } from '../../agreement/seed.mjs'
import { eventually } from '../../contract/support.mjs'
import { random } from '../../memory/fixtures/random.mjs'
import { assertFree, isFree } from './free.mjs'
import { limit, RESERVE, setFreePerIteration, setLimit } from './module.mjs'
import { PAGE, peek } from './raw.mjs'
import { startWriters } from './writers.mjs'

// What test/memory tries on the simulated Xen, on the real driver.

/** Starting a thread and loading the package takes most of a second there. */
const LONGEST_START_MS = 1500
const LONGEST_WORK_MS = 300
/** Threads of a user at a time. */
const TOGETHER = 4
/** More pages than they come to have. */
const ROOM = 20_000

const USER_THREAD = new URL('../../memory/fixtures/user-thread.mjs', import.meta.url)

/** A test that terminates so many threads, each at a random moment of whatever it does with grants. */
export function terminating(rounds) {
  return {
    name: `${rounds} threads are terminated at a random moment of what they do with grants: no abort, nothing is left`,
    timeoutMs: 60_000 + 10_000 * rounds,
    async run(t) {
      const seed = seedOf(process.env)
      t.note(`XEN_GRANTS_SEED=${seed}`)
      const { below, next } = random(seed)
      setFreePerIteration(t, 0)
      setLimit(t, ROOM)
      const server = await GrantServer.open({ fillers: { threads: 1 } })
      t.defer(() => server.close({ force: true }))
      const handedOut = await server.share({ domid: 0, pages: 16 })
      handedOut.bytes.fill(9)
      const pool = await server.pool({ domid: 0, pages: 1, grants: 4 })

      let working = 0
      const terminateOne = async () => {
        const port = server.connect()
        const worker = new Worker(USER_THREAD, {
          workerData: { port, handle: handedOut.handle(), pool: pool.handle(), seed: below(2 ** 31) },
          transferList: [port],
          // A module that does not load because its thread is terminated complains there.
          stderr: true,
        })
        const { threadId } = worker
        const failed = once(worker, 'error').then(([error]) => Promise.reject(error))
        failed.catch(() => {})
        const work = async () => {
          if (below(4) === 0) return sleep(next() * LONGEST_START_MS)
          await once(worker, 'message')
          working++
          return sleep(next() * LONGEST_WORK_MS)
        }
        await Promise.race([work(), failed])
        await worker.terminate()
        pool.reclaim(threadId)
      }
      let left = rounds
      const terminateSome = async () => {
        while (left-- > 0) await terminateOne()
      }
      await Promise.all(Array.from({ length: TOGETHER }, terminateSome))

      await eventually(async () => (await server.stats()).clients === 1, 'their lines are closed')
      const { grants, pages } = await server.stats()
      assert.deepEqual({ grants, pages }, { grants: 5, pages: 20 }, 'what this thread has')
      assert.ok(
        handedOut.bytes.every((byte) => byte === 9),
        'what they had attached is as it was',
      )
      await pool.close()
      await handedOut.unshare()
      const device = t.gntalloc()
      assertFree(device, limit() - RESERVE, 'all but the reserve')
      await server.close()
      assertFree(device, limit(), 'the whole limit')
      t.note(`${rounds} threads, ${working} of them at work`)
    },
  }
}

const THREADS = 8
const MOST_PAGES = 60
/** The driver's, so that all of it is quickly had. */
const LIMIT = 128
const DESCRIPTOR = Symbol.for('xen-grants.device-descriptor')
/** See mortal-gntalloc.mjs. */
const MORTAL = {
  module: new URL('mortal-gntalloc.mjs', import.meta.url).href,
  options: undefined,
  path: '/dev/xen/gntalloc',
  simulated: false,
}
/** Longer than what the threads do in between: others have to start meanwhile. */
const PAUSE_MS = 200
const death = fc.record({
  sizes: fc.array(fc.integer({ min: 1, max: MOST_PAGES / 4 }), { minLength: 1, maxLength: 4 }),
  restart: fc.boolean(),
  /** What each thread has shared for itself. */
  ownPages: fc.nat(1),
  /** The device worker throws, or calls process.exit(). */
  fatal: fc.constantFrom(101, 102),
})

/** All that is free. Most likely of the same frames as what a dead worker had, and of others' view of it nothing arrives. */
async function assertUntouched(device, free, writers) {
  const { index, refs } = device.allocate(0, 1, free)
  assert.equal(refs.length, free, 'free')
  const address = device.mmap(index, free)
  await writers.allWrite()
  assert.ok(peek(address, free * PAGE).equals(Buffer.alloc(free * PAGE)), 'nothing arrives there')
  device.munmap(address, free * PAGE)
  device.deallocate(index, free)
}

async function dieOnce(device, writers, { sizes, restart, ownPages, fatal }) {
  const server = await GrantServer.open({ device: { [DESCRIPTOR]: MORTAL }, restart })
  await writers.connect(server, ownPages)
  const grants = await Promise.all(sizes.map((pages) => server.share({ domid: 0, pages, writable: true })))
  const views = grants.map(({ bytes }) => bytes.fill(0xff))
  writers.write(grants, 1, PAUSE_MS)
  await writers.allWrite()
  assert.ok(
    views.every((view, i) => view[i] === 1),
    'they write',
  )

  const error = once(server, 'error')
  await assert.rejects(server.share({ domid: fatal, pages: 1 }), { code: 'ERR_GRANTS_WORKER_DIED' })
  await error
  for (const { bytes } of grants) assert.equal(bytes.length, 0)
  // What is stored since stays between the views; every other byte had been 0xff.
  for (const view of views)
    assert.ok(
      view.every((byte) => byte <= 1),
      'an old view reads zeros',
    )
  const free = limit() - (restart ? RESERVE : 0)
  // The kernel keeps a file, and so all of its pages, until none of them is mapped. The threads do not listen yet.
  if (ownPages === 0) await assertUntouched(device, free, writers)
  assert.deepEqual(await writers.stop(), Array(THREADS).fill(0), 'no thread has bytes')
  await eventually(() => isFree(device, free), 'all is free')
  if (restart) {
    const fresh = await server.share({ domid: 0, pages: MOST_PAGES })
    for (const view of views) view.fill(0xee)
    const zero = fresh.bytes.every((byte) => byte === 0)
    assert.ok(zero, 'an old view reaches nothing that is shared later')
  }
  await server.close()
  assertFree(device, limit(), 'the whole limit')
}

/** A test in which the device worker dies so often while threads write to grants. */
export function dying(rounds) {
  return {
    name: `the device worker dies under ${THREADS} threads that write, ${rounds} times: the pages are free, old views read zeros`,
    timeoutMs: 120_000 + 30_000 * rounds,
    async run(t) {
      const seed = seedOf(process.env)
      t.note(`XEN_GRANTS_SEED=${seed}`)
      setFreePerIteration(t, 0)
      setLimit(t, LIMIT)
      const [device, writers] = [t.gntalloc(), startWriters(t, THREADS)]
      for (const drawn of fc.sample(death, { seed, numRuns: rounds })) await dieOnce(device, writers, drawn)
    },
  }
}
