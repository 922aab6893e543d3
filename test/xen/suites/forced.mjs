import assert from 'node:assert/strict'
import fc from 'fast-check'
import { GrantServer } from 'xen-grants'
import { seedOf } from '../../agreement/seed.mjs'
import { limit, RESERVE, setLimit } from '../guest/module.mjs'
import { PAGE, peek } from '../guest/raw.mjs'
import { startWriters } from '../guest/writers.mjs'

const THREADS = 8
const ROUNDS = 10
const MOST_PAGES = 60
const KEPT_PAGES = 5
/** The driver's, so that all of it is quickly had. */
const LIMIT = 128

export default {
  name: 'forced unshare',
  tests: [
    {
      name: `under ${THREADS} threads that write: the pages are free at once, and no store reaches them or another grant`,
      timeoutMs: 180_000,
      async run(t) {
        const seed = seedOf(process.env)
        t.note(`XEN_GRANTS_SEED=${seed}`)
        const sizes = fc.sample(fc.integer({ min: 1, max: MOST_PAGES }), { seed, numRuns: ROUNDS })
        setLimit(t, LIMIT)
        const server = await GrantServer.open()
        t.defer(() => server.close({ force: true }))
        const kept = await server.share({ domid: 0, pages: KEPT_PAGES, writable: true })
        const pattern = Buffer.from(Array.from({ length: KEPT_PAGES * PAGE }, (_, at) => at % 251))
        kept.bytes.set(pattern)
        const [writers, device, peer] = [startWriters(t, THREADS), t.gntalloc(), t.gntdev()]
        await writers.connect(server)

        const free = limit() - RESERVE - KEPT_PAGES
        for (const [i, pages] of sizes.entries()) {
          const round = i + 1
          const grant = await server.share({ domid: 0, pages, writable: true })
          const { refs } = grant
          writers.write([grant], round)
          await writers.allWrite()
          assert.ok(
            grant.bytes.subarray(0, THREADS).every((byte) => byte === round),
            'all eight have written',
          )

          await grant.unshare({ force: true })
          assert.deepEqual(
            [...refs].filter((ref) => peer.canMap(ref, { writable: false })),
            [],
            'free',
          )
          const rest = device.allocate(0, 1, free)
          assert.equal(rest.refs.length, free, 'the whole limit')
          const address = device.mmap(rest.index, free)
          // Most likely the same frames as before, in use again, and the threads go on all the while.
          await writers.allWrite()
          assert.ok(peek(address, free * PAGE).equals(Buffer.alloc(free * PAGE)), 'nothing arrives there')
          device.munmap(address, free * PAGE)
          device.deallocate(rest.index, free)
          assert.ok(pattern.equals(kept.bytes), 'the other grant is what it was')
          assert.deepEqual(
            await writers.stop(),
            Array(THREADS).fill(0),
            'and then `bytes` is empty everywhere',
          )
        }
        t.note(`${ROUNDS} times, ${Math.min(...sizes)} to ${Math.max(...sizes)} pages`)
      },
    },
  ],
}
