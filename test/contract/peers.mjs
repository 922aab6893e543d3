import assert from 'node:assert/strict'
import { assertMappable, assertRefused, PAGE, WRITABLE } from './support.mjs'

export default {
  name: 'peer',
  tests: [
    {
      name: 'sees every byte the owner writes, and the owner sees its answer',
      async run(world) {
        const device = world.open()
        const { index, refs } = device.allocate(world.domid, WRITABLE, 16)
        const address = device.mmap(index, 16)
        const peer = await world.map(refs)
        const question = Buffer.from({ length: 16 * PAGE }, () => 0).map((_, i) => i * 7 + (i >> 12))
        world.write(address, question)
        assert.ok(peer.read(0, 16 * PAGE).equals(question))
        const answer = question.map((byte) => ~byte)
        peer.write(0, answer)
        assert.ok(world.read(address, 16 * PAGE).equals(answer))
        await peer.unmap()
        device.munmap(address, 16 * PAGE)
      },
    },
    {
      name: 'finds each reference to name its own page, in any order and more than once',
      async run(world) {
        const device = world.open()
        const { index, refs } = device.allocate(world.domid, WRITABLE, 8)
        const address = device.mmap(index, 8)
        for (let page = 0; page < 8; page++) world.write(address + page * PAGE, [page + 1])
        const first = (peer, count) =>
          Array.from({ length: count }, (_, page) => peer.read(page * PAGE, 1)[0])
        const reversed = await world.map([...refs].reverse(), { writable: false })
        assert.deepEqual(first(reversed, 8), [8, 7, 6, 5, 4, 3, 2, 1])
        const twice = await world.map([refs[2], refs[2], refs[0]])
        twice.write(PAGE, [99])
        assert.deepEqual(first(twice, 3), [99, 99, 1])
        await reversed.unmap()
        await twice.unmap()
        device.munmap(address, 8 * PAGE)
      },
    },
    {
      name: 'sees what is written while nobody here has the pages mapped to stay',
      async run(world) {
        const device = world.open()
        const { index, refs } = device.allocate(world.domid, WRITABLE, 1)
        const peer = await world.map(refs)
        const before = device.mmap(index, 1)
        world.write(before, [1])
        device.munmap(before, PAGE)
        assert.equal(peer.read(0, 1)[0], 1)
        peer.write(0, [2])
        await peer.unmap()
        const after = device.mmap(index, 1)
        assert.equal(world.read(after, 1)[0], 2)
        device.munmap(after, PAGE)
      },
    },
    {
      name: 'may not map what was granted to another domain',
      async run(world) {
        const device = world.open()
        const theirs = device.allocate(world.stranger, WRITABLE, 2).refs
        const ours = device.allocate(world.domid, WRITABLE, 1).refs
        await assertRefused(world, theirs)
        await assertRefused(world, theirs, { writable: false })
        await assertRefused(world, [ours[0], theirs[1]])
        await assertMappable(world, ours, true)
      },
    },
    {
      name: 'may not write to what is granted for reading, whatever else is in the batch',
      async run(world) {
        const device = world.open()
        const { index, refs } = device.allocate(world.domid, 0, 1)
        const writable = device.allocate(world.domid, WRITABLE, 1).refs
        const address = device.mmap(index, 1)
        world.write(address, [42])
        await assertRefused(world, refs)
        await assertRefused(world, [writable[0], refs[0]])
        const peer = await world.map([writable[0], refs[0]], { writable: false })
        assert.equal(peer.read(PAGE, 1)[0], 42)
        world.write(address, [43])
        assert.equal(peer.read(PAGE, 1)[0], 43, 'the owner may')
        await peer.unmap()
        device.munmap(address, PAGE)
      },
    },
    {
      name: 'is refused the whole batch for one bad reference, and nothing of it stays mapped',
      async run(world) {
        const device = world.open()
        const { index, refs } = device.allocate(world.domid, WRITABLE, 3)
        device.deallocate(index + PAGE, 1)
        await assertRefused(world, refs)
        const peer = await world.map([refs[0], refs[2]])
        await peer.unmap()
        device.close()
        // At once: a page of the refused batch that was still mapped would be deferred.
        await assertMappable(world, refs, false)
      },
    },
    {
      name: 'is refused no references at all, reference 0 and what was never granted',
      async run(world) {
        const device = world.open()
        const { index, refs } = device.allocate(world.domid, WRITABLE, 1)
        device.deallocate(index, 1)
        for (const list of [[], [0], refs, [1_000_000], [0xffff_ffff]])
          await assertRefused(world, list, { writable: false })
      },
    },
    {
      name: 'may map a page several times, independently',
      async run(world) {
        const device = world.open()
        const { index, refs } = device.allocate(world.domid, WRITABLE, 1)
        const [one, other] = [await world.map(refs), await world.map(refs, { writable: false })]
        one.write(10, [1])
        assert.equal(other.read(10, 1)[0], 1)
        await one.unmap()
        assert.equal(other.read(10, 1)[0], 1)
        device.deallocate(index, 1)
        await assertMappable(world, refs, true, 'deferred')
        await other.unmap()
        await world.settled(refs)
      },
    },
  ],
}
