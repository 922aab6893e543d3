import assert from 'node:assert/strict'
import { CLEAR, PAGE, SEND, shared } from './support.mjs'

// When it fires. What may be set is in notify-settings.mjs.

export default {
  name: 'unmap notification',
  tests: [
    {
      name: 'clears its byte and no other when the last of grant and mapping goes, not before',
      async run(world) {
        const { device, index, unmap, seen } = await shared(world, 1)
        device.setUnmapNotify(index + 100, CLEAR, 0)
        device.deallocate(index, 1)
        assert.deepEqual(seen(100), [0xff], 'still mapped here')
        unmap()
        assert.deepEqual(seen(99, 100, 101), [0xff, 0, 0xff])
      },
    },
    {
      name: 'waits for the free when the mapping goes first',
      async run(world) {
        const { device, index, unmap, seen } = await shared(world, 1)
        device.setUnmapNotify(index + PAGE - 1, CLEAR, 0)
        unmap()
        assert.deepEqual(seen(PAGE - 1), [0xff])
        device.deallocate(index, 1)
        assert.deepEqual(seen(PAGE - 2, PAGE - 1), [0xff, 0])
      },
    },
    {
      name: 'waits for the last of several mappings',
      async run(world) {
        const { device, index, unmap, seen } = await shared(world, 1)
        const again = device.mmap(index, 1)
        device.setUnmapNotify(index, CLEAR, 0)
        device.deallocate(index, 1)
        unmap()
        assert.deepEqual(seen(0), [0xff])
        device.munmap(again, PAGE)
        assert.deepEqual(seen(0), [0])
      },
    },
    {
      name: 'fires on close, and with a mapping only when that goes too',
      async run(world) {
        const [closed, mapped] = [await shared(world, 1), await shared(world, 1)]
        for (const { device, index } of [closed, mapped]) device.setUnmapNotify(index, CLEAR, 0)
        closed.unmap()
        closed.device.close()
        assert.deepEqual(closed.seen(0), [0])
        mapped.device.close()
        assert.deepEqual(mapped.seen(0), [0xff])
        mapped.unmap()
        assert.deepEqual(mapped.seen(0), [0])
      },
    },
    {
      name: 'is one per page, and unmapping a part fires none',
      async run(world) {
        const { device, index, address, seen } = await shared(world, 3)
        device.setUnmapNotify(index + 1, CLEAR, 0)
        device.setUnmapNotify(index + 2 * PAGE + 3, CLEAR, 0)
        device.deallocate(index, 3)
        device.munmap(address, 2 * PAGE)
        assert.deepEqual(seen(1, 2 * PAGE + 3), [0xff, 0xff])
        device.munmap(address + 2 * PAGE, PAGE)
        assert.deepEqual(seen(1, PAGE + 1, 2 * PAGE + 3), [0, 0xff, 0])
      },
    },
    {
      name: 'fires for the pages that are freed and stays armed for those that are not',
      async run(world) {
        const { device, index, unmap, seen } = await shared(world, 3)
        for (const page of [0, 1, 2]) device.setUnmapNotify(index + page * PAGE, CLEAR, 0)
        unmap()
        device.deallocate(index + PAGE, 1)
        assert.deepEqual(seen(0, PAGE, 2 * PAGE), [0xff, 0, 0xff])
        device.close()
        assert.deepEqual(seen(0, PAGE, 2 * PAGE), [0, 0, 0])
      },
    },
    {
      name: 'fires once',
      async run(world) {
        const { device, index, peer, unmap, seen } = await shared(world, 1)
        device.setUnmapNotify(index, CLEAR, 0)
        device.deallocate(index, 1)
        unmap()
        peer.write(0, [5])
        device.close()
        assert.deepEqual(seen(0), [5])
      },
    },
    {
      name: 'works for a page the peer may only read',
      async run(world) {
        const { device, index, unmap, seen } = await shared(world, 1, { flags: 0 })
        device.setUnmapNotify(index, CLEAR, 0)
        unmap()
        device.deallocate(index, 1)
        assert.deepEqual(seen(0), [0])
      },
    },
    {
      name: 'fires when zero pages take the place of the last mapping',
      async run(world) {
        const { device, index, address, seen } = await shared(world, 1)
        device.setUnmapNotify(index, CLEAR, 0)
        device.deallocate(index, 1)
        device.munmap(address, PAGE)
        assert.deepEqual(seen(0, 1), [0, 0xff])
      },
    },
    {
      name: 'has nothing to do with what the peer unmaps',
      async run(world) {
        const { device, index, refs, address, peer, unmap } = await shared(world, 1)
        device.setUnmapNotify(index, CLEAR, 0)
        await peer.unmap()
        assert.equal(world.read(address, 1)[0], 0xff)
        const again = await world.map(refs)
        unmap()
        device.deallocate(index, 1)
        assert.equal(again.read(0, 1)[0], 0)
        await again.unmap()
      },
    },
    {
      name: 'sends its event with the byte, and not before',
      async run(world) {
        const port = await world.bindPort()
        const { device, index, unmap, seen } = await shared(world, 1)
        device.setUnmapNotify(index, CLEAR | SEND, port)
        device.deallocate(index, 1)
        assert.ok(await world.silent(port))
        unmap()
        assert.ok(await world.fired(port))
        assert.deepEqual(seen(0), [0])
        assert.ok(await world.silent(port), 'once')
      },
    },
    {
      name: 'can send an event and leave the page alone',
      async run(world) {
        const port = await world.bindPort()
        const { device, index, unmap, seen } = await shared(world, 1)
        device.setUnmapNotify(index + 7, SEND, port)
        unmap()
        device.close()
        assert.ok(await world.fired(port))
        assert.deepEqual(seen(0, 7), [0xff, 0xff])
      },
    },
    {
      name: 'may use one port for several pages and several ports for one allocation',
      async run(world) {
        const [one, other, unused] = [await world.bindPort(), await world.bindPort(), await world.bindPort()]
        const { device, index, unmap } = await shared(world, 3)
        for (const [page, port] of [one, one, other].entries())
          device.setUnmapNotify(index + page * PAGE, SEND, port)
        unmap()
        device.deallocate(index + 2 * PAGE, 1)
        assert.ok(await world.fired(other))
        assert.ok(await world.silent(one))
        device.close()
        assert.ok(await world.fired(one))
        assert.ok(await world.silent(unused))
      },
    },
  ],
}
