import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFreePerIteration } from '../guest/module.mjs'

// What is special about a peer in the same domain, and about this kernel's timer. The rest is in test/contract.

/** Grants pages, has a peer map them, takes them back: they are deferred, since the peer still has them. */
function deferred(t, count) {
  const device = t.gntalloc()
  const { index, refs } = device.allocate(0, 1, count)
  const mapped = t.gntdev().map(refs)
  device.deallocate(index, count)
  const other = t.gntdev()
  return { mapped, left: () => [...refs].filter((ref) => other.canMap(ref)).length }
}

/** Seconds until none of the refs can be mapped any more. */
async function drain(left) {
  const started = performance.now()
  while (left() > 0) await sleep(100)
  return (performance.now() - started) / 1000
}

export default {
  name: 'peer in the same domain',
  tests: [
    {
      name: 'has the number of this domain: neither another nor DOMID_SELF will do, on either side',
      run(t) {
        const device = t.gntalloc()
        const peer = t.gntdev()
        for (const domid of [1, 5, 0x7ff0]) {
          const { refs } = device.allocate(domid, 1, 1)
          assert.throws(() => peer.map(refs), { code: 'EINVAL' })
          assert.throws(() => peer.map(refs, { domid }), { code: 'EINVAL' })
        }
        const { refs } = device.allocate(0, 1, 1)
        for (const domid of [1, 0x7ff0]) assert.throws(() => peer.map(refs, { domid }), { code: 'EINVAL' })
        assert.ok(peer.canMap(refs[0]))
      },
    },
    {
      name: 'makes deferred pages drain at the rate of free_per_iteration when it lets go',
      async run(t) {
        const slow = deferred(t, 40)
        slow.mapped.unmap()
        const slowSeconds = await drain(slow.left)
        setFreePerIteration(t, 1000)
        const fast = deferred(t, 40)
        fast.mapped.unmap()
        const fastSeconds = await drain(fast.left)
        assert.ok(slowSeconds > 2.5, `40 pages at 10 a second took ${slowSeconds} s`)
        assert.ok(
          fastSeconds < slowSeconds / 1.5,
          `at 1000 a second ${fastSeconds} s instead of ${slowSeconds} s`,
        )
      },
    },
  ],
}
