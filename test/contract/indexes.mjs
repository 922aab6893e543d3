import assert from 'node:assert/strict'
import { PAGE, WRITABLE } from './support.mjs'

export default {
  name: 'index',
  tests: [
    {
      name: 'starts at 0, grows by the pages asked for and is never used again',
      run(world) {
        const device = world.open()
        assert.equal(device.allocate(world.domid, WRITABLE, 3).index, 0)
        assert.equal(device.allocate(world.domid, WRITABLE, 1).index, 3 * PAGE)
        device.deallocate(0, 4)
        assert.equal(device.allocate(world.domid, WRITABLE, 2).index, 4 * PAGE, 'also when all is free')
        device.deallocate(4 * PAGE, 2)
        assert.equal(device.allocate(world.domid, 0, 1).index, 6 * PAGE)
      },
    },
    {
      name: 'is counted by each file for itself',
      run(world) {
        const [one, other] = [world.open(), world.open()]
        one.allocate(world.domid, WRITABLE, 5)
        assert.equal(other.allocate(world.domid, WRITABLE, 2).index, 0)
        assert.equal(one.allocate(world.domid, WRITABLE, 1).index, 5 * PAGE)
        one.close()
        assert.equal(world.open().allocate(world.domid, WRITABLE, 1).index, 0)
        assert.equal(other.allocate(world.domid, WRITABLE, 1).index, 2 * PAGE)
      },
    },
    {
      name: 'of the next allocation is what an allocation of no pages tells, and it changes nothing',
      run(world) {
        const device = world.open()
        assert.deepEqual(device.allocate(world.domid, WRITABLE, 0), { index: 0, refs: new Uint32Array() })
        device.allocate(world.domid, WRITABLE, 5)
        for (const domid of [world.domid, world.stranger, 0xffff])
          assert.deepEqual(device.allocate(domid, 0, 0), { index: 5 * PAGE, refs: new Uint32Array() })
        assert.equal(device.allocate(world.domid, WRITABLE, 1).index, 5 * PAGE)
        assert.throws(() => device.mmap(6 * PAGE, 1), { code: 'ENOENT' })
      },
    },
    {
      name: 'is not consumed by a refusal of the limit',
      async run(world) {
        const device = world.open()
        device.allocate(world.domid, WRITABLE, 2)
        for (const pages of [world.limit + 1, world.limit - 1]) {
          assert.throws(() => device.allocate(world.domid, WRITABLE, pages), { code: 'ENOSPC' })
          assert.equal(device.allocate(world.domid, 0, 0).index, 2 * PAGE)
        }
        await world.setLimit(1)
        assert.throws(() => device.allocate(world.domid, WRITABLE, 1), { code: 'ENOSPC' })
        await world.setLimit(world.limit)
        assert.equal(device.allocate(world.domid, WRITABLE, 1).index, 2 * PAGE)
      },
    },
    {
      name: 'is not consumed by what is refused for other reasons',
      run(world) {
        const device = world.open()
        device.allocate(world.domid, WRITABLE, 2)
        assert.throws(() => device.deallocate(PAGE, 2))
        assert.throws(() => device.mmap(PAGE, 2))
        assert.throws(() => device.setUnmapNotify(2 * PAGE, 1, 0))
        assert.equal(device.allocate(world.domid, WRITABLE, 0).index, 2 * PAGE)
      },
    },
  ],
}
