import assert from 'node:assert/strict'
import { assertMappable, assertRefused, CLEAR, PAGE, shared, WRITABLE } from './support.mjs'

/** Granted, mapped by the peer, taken back. */
async function deferred(world, count) {
  const device = world.open()
  const { index, refs } = device.allocate(world.domid, WRITABLE, count)
  const peer = await world.map(refs)
  device.deallocate(index, count)
  return { device, index, refs, peer }
}

export default {
  name: 'a page the peer still maps',
  tests: [
    {
      name: 'is given back without a word, and stays alive for the peer',
      async run(world) {
        const { device, index, peer, refs } = await deferred(world, 2)
        assert.throws(() => device.deallocate(index, 1), { code: 'EINVAL' })
        assert.throws(() => device.mmap(index, 1), { code: 'ENOENT' })
        peer.write(PAGE, [7])
        assert.equal(peer.read(PAGE, 1)[0], 7)
        await peer.unmap()
        await world.settled(refs)
      },
    },
    {
      name: 'can even be mapped again, until the kernel has freed it',
      async run(world) {
        const { refs, peer } = await deferred(world, 4)
        peer.write(0, [9])
        const again = await world.map(refs)
        await peer.unmap()
        assert.equal(again.read(0, 1)[0], 9)
        await assertMappable(world, refs, true, 'the second mapping keeps it too')
        await again.unmap()
        await world.settled(refs)
        await assertRefused(world, refs)
        await assertMappable(world, refs, false)
      },
    },
    {
      name: 'keeps its contents: nothing is zeroed for the peer',
      async run(world) {
        const { device, unmap, seen, peer, refs } = await shared(world, 1)
        unmap()
        device.close()
        assert.deepEqual(seen(0, PAGE - 1), [0xff, 0xff])
        await peer.unmap()
        await world.settled(refs)
      },
    },
    {
      name: 'has its notification fired at once: it does not wait for the peer',
      async run(world) {
        const { device, index, unmap, seen, peer } = await shared(world, 1)
        device.setUnmapNotify(index, CLEAR, 0)
        unmap()
        device.deallocate(index, 1)
        assert.deepEqual(seen(0), [0])
        peer.write(0, [3])
        assert.deepEqual(seen(0), [3], 'the page is the peer’s as long as it likes')
      },
    },
    {
      name: 'does not count against the limit',
      async run(world) {
        const { device, peer, refs } = await deferred(world, 20)
        const { index } = device.allocate(world.domid, WRITABLE, world.limit)
        device.deallocate(index, world.limit)
        await peer.unmap()
        await world.settled(refs)
        device.allocate(world.domid, WRITABLE, world.limit)
      },
    },
    {
      name: 'has its reference and its memory to itself',
      async run(world) {
        const { device, refs, peer } = await deferred(world, 4)
        peer.write(0, Buffer.alloc(4 * PAGE, 0x77))
        const fresh = device.allocate(world.domid, WRITABLE, 64)
        const address = device.mmap(fresh.index, 64)
        for (const ref of fresh.refs) assert.ok(!refs.includes(ref))
        assert.ok(world.read(address, 64 * PAGE).equals(Buffer.alloc(64 * PAGE)))
        world.write(address, Buffer.alloc(64 * PAGE, 0x11))
        assert.ok(peer.read(0, 4 * PAGE).equals(Buffer.alloc(4 * PAGE, 0x77)))
        device.munmap(address, 64 * PAGE)
        await peer.unmap()
        await world.settled(refs)
      },
    },
    {
      name: 'outlives the file, and each page waits for its own mappings only',
      async run(world) {
        const device = world.open()
        const { refs } = device.allocate(world.domid, WRITABLE, 3)
        const [one, other] = [await world.map([refs[0]]), await world.map([refs[2]])]
        device.close()
        await assertMappable(world, refs, [true, false, true])
        await one.unmap()
        await world.settled([refs[0]])
        await assertMappable(world, refs, [false, false, true])
        await other.unmap()
        await world.settled(refs)
      },
    },
  ],
}
