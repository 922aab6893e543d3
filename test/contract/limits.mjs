import assert from 'node:assert/strict'
import { assertMappable, PAGE, refused, WRITABLE } from './support.mjs'

const ENOSPC = { code: 'ENOSPC' }

export default {
  name: 'limit',
  tests: [
    {
      name: 'a refusal is ENOSPC and says what was asked for',
      run(world) {
        const device = world.open()
        const pages = world.limit + 1
        const fields = { errno: -28, domid: world.stranger, pages }
        assert.throws(() => device.allocate(world.stranger, 1, pages), refused(device, 'ENOSPC', fields))
      },
    },
    {
      name: 'counts the pages of all files together, and all of it can be used',
      run(world) {
        const [one, other] = [world.open(), world.open()]
        one.allocate(world.domid, WRITABLE, world.limit - 10)
        assert.throws(() => other.allocate(world.domid, WRITABLE, 11), ENOSPC)
        other.allocate(world.domid, WRITABLE, 10)
        assert.throws(() => one.allocate(world.domid, WRITABLE, 1), ENOSPC)
        assert.equal(one.allocate(world.domid, WRITABLE, 0).index, (world.limit - 10) * PAGE)
        one.close()
        other.allocate(world.domid, WRITABLE, world.limit - 10)
      },
    },
    {
      name: 'gives all pages of a refused call back: nothing of it was granted',
      run(world) {
        const device = world.open()
        for (let tries = 0; tries < 5; tries++)
          assert.throws(() => device.allocate(world.domid, WRITABLE, world.limit + 1), ENOSPC)
        assert.equal(device.allocate(world.domid, WRITABLE, world.limit).refs.length, world.limit)
      },
    },
    {
      name: 'lowered below the use it refuses even no pages, and nothing else',
      async run(world) {
        const device = world.open()
        const { index, refs } = device.allocate(world.domid, WRITABLE, 8)
        await world.setLimit(7)
        assert.throws(() => device.allocate(world.domid, WRITABLE, 0), { ...ENOSPC, pages: 0 })
        assert.throws(() => world.open().allocate(world.domid, WRITABLE, 1), ENOSPC, 'a new file too')
        await assertMappable(world, refs, true)
        device.munmap(device.mmap(index, 8), 8 * PAGE)
        device.setUnmapNotify(index, 1, 0)
        device.deallocate(index, 1)
        assert.equal(device.allocate(world.domid, WRITABLE, 0).index, 8 * PAGE, 'use and limit are equal')
        assert.throws(() => device.allocate(world.domid, WRITABLE, 1), ENOSPC)
        device.deallocate(index + PAGE, 1)
        device.allocate(world.domid, WRITABLE, 1)
      },
    },
    {
      name: 'takes effect at the next allocation, up and down',
      async run(world) {
        const device = world.open()
        await world.setLimit(4)
        device.allocate(world.domid, WRITABLE, 4)
        assert.throws(() => device.allocate(world.domid, WRITABLE, 1), ENOSPC)
        await world.setLimit(5)
        assert.equal(device.limits().limit, 5)
        device.allocate(world.domid, WRITABLE, 1)
      },
    },
    {
      name: '0 allows no pages at all, which is allowed',
      async run(world) {
        const device = world.open()
        await world.setLimit(0)
        assert.equal(device.allocate(world.domid, WRITABLE, 0).index, 0)
        assert.throws(() => device.allocate(world.domid, WRITABLE, 1), ENOSPC)
      },
    },
    {
      name: 'a negative one acts as huge',
      async run(world) {
        const device = world.open()
        for (const limit of [-1, -5, -(2 ** 31)]) {
          await world.setLimit(limit)
          assert.equal(device.limits().limit, limit)
          const { index, refs } = device.allocate(world.domid, WRITABLE, world.limit + 200)
          assert.equal(refs.length, world.limit + 200)
          device.deallocate(index, refs.length)
        }
      },
    },
    {
      name: 'counts a freed page as long as it is mapped here',
      run(world) {
        const device = world.open()
        const { index } = device.allocate(world.domid, WRITABLE, world.limit)
        const address = device.mmap(index, 10)
        device.deallocate(index, world.limit)
        assert.throws(() => device.allocate(world.domid, WRITABLE, world.limit - 9), ENOSPC)
        device.allocate(world.domid, WRITABLE, world.limit - 10)
        device.munmap(address, 10 * PAGE)
        device.allocate(world.domid, WRITABLE, 10)
      },
    },
    {
      name: 'an allocation of no pages tells a full limit from one lowered below the use',
      async run(world) {
        const device = world.open()
        device.allocate(world.domid, WRITABLE, 3)
        await world.setLimit(6)
        assert.throws(() => device.allocate(world.domid, WRITABLE, 4), ENOSPC)
        assert.equal(device.allocate(world.domid, WRITABLE, 0).index, 3 * PAGE, 'full: nothing consumed')
        await world.setLimit(2)
        assert.throws(() => device.allocate(world.domid, WRITABLE, 1), ENOSPC)
        assert.throws(() => device.allocate(world.domid, WRITABLE, 0), ENOSPC, 'lowered: not even none')
      },
    },
  ],
}
