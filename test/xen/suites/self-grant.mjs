import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { limit, setFreePerIteration } from '../guest/module.mjs'
import { PAGE, peek, poke } from '../guest/raw.mjs'

/** Grants pages, has a peer map them, takes them back: they are deferred, since the peer still has them. */
function deferred(t, count) {
  const device = t.gntalloc()
  const { index, refs } = device.allocate(0, 1, count)
  const mapped = t.gntdev().map(refs)
  device.deallocate(index, count)
  const other = t.gntdev()
  return { device, refs, mapped, left: () => [...refs].filter((ref) => other.canMap(ref)).length }
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
      name: 'sees every byte the owner writes, and the owner sees its answer',
      run(t) {
        const device = t.gntalloc()
        const { index, refs } = device.allocate(0, 1, 16)
        const address = device.mmap(index, 16)
        const peer = t.gntdev().map(refs)
        const question = randomBytes(16 * PAGE)
        poke(address, question)
        assert.ok(peek(peer.address, 16 * PAGE).equals(question))
        const answer = randomBytes(16 * PAGE)
        poke(peer.address, answer)
        assert.ok(peek(address, 16 * PAGE).equals(answer))
        peer.unmap()
        device.munmap(address, 16 * PAGE)
      },
    },
    {
      name: 'each ref names its own page, in order',
      run(t) {
        const device = t.gntalloc()
        const { index, refs } = device.allocate(0, 1, 8)
        const address = device.mmap(index, 8)
        for (let page = 0; page < 8; page++) poke(address + page * PAGE, [page + 1])
        const peer = t.gntdev().map([...refs].reverse(), { writable: false })
        const seen = [...refs].map((_, page) => peek(peer.address + page * PAGE)[0])
        assert.deepEqual(seen, [8, 7, 6, 5, 4, 3, 2, 1])
        peer.unmap()
        device.munmap(address, 8 * PAGE)
      },
    },
    {
      name: 'a domain the page was not granted to is refused',
      run(t) {
        const device = t.gntalloc()
        const peer = t.gntdev()
        for (const domid of [1, 5, 0x7ff0]) {
          const { refs } = device.allocate(domid, 1, 1)
          assert.throws(() => peer.map(refs), { code: 'EINVAL' })
        }
        const { refs } = device.allocate(0, 1, 1)
        for (const domid of [1, 0x7ff0]) assert.throws(() => peer.map(refs, { domid }), { code: 'EINVAL' })
        assert.ok(peer.canMap(refs[0]))
      },
    },
    {
      name: 'one bad ref refuses the whole batch',
      run(t) {
        const device = t.gntalloc()
        const { index, refs } = device.allocate(0, 1, 3)
        device.deallocate(index + PAGE, 1)
        const peer = t.gntdev()
        assert.throws(() => peer.map(refs), { code: 'EINVAL' })
        peer.map([refs[0], refs[2]]).unmap()
      },
    },
    {
      name: 'a page taken back while mapped stays alive for the peer, and can even be mapped again',
      async run(t) {
        setFreePerIteration(t, 0)
        const { mapped, left } = deferred(t, 4)
        poke(mapped.address, [1])
        assert.equal(peek(mapped.address)[0], 1)
        assert.equal(left(), 4)
        await sleep(1500)
        assert.equal(left(), 4)
        mapped.unmap()
        await drain(left)
      },
    },
    {
      name: 'deferred pages do not count against the limit',
      async run(t) {
        setFreePerIteration(t, 0)
        const { device, mapped, left } = deferred(t, 20)
        const { index } = device.allocate(0, 1, limit())
        device.deallocate(index, limit())
        mapped.unmap()
        await drain(left)
      },
    },
    {
      name: 'deferred pages drain at the rate of free_per_iteration',
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
