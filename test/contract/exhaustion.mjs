import assert from 'node:assert/strict'
import { assertMappable, PAGE, WRITABLE } from './support.mjs'

// What a full grant table does to the driver (docs/enospc.md), its counting bug included. Not part of the other suites:
// each of these leaves a real driver with a wrong count, so that it has to be reloaded before and after.

/** More than the grant table has entries; far below any limit that is set here. */
const TOO_MANY = 100_000
const NO_LIMIT = 4 * TOO_MANY

const ENOSPC = { name: 'GrantError', code: 'ENOSPC', errno: -28 }

function exhaust(device, world) {
  assert.throws(() => device.allocate(world.domid, WRITABLE, TOO_MANY), { ...ENOSPC, pages: TOO_MANY })
}

export default {
  name: 'a full grant table',
  tests: [
    {
      name: 'consumes the index, and with reserve the driver stays usable',
      async run(world) {
        await world.setLimit(NO_LIMIT)
        const device = world.open()
        device.allocate(world.domid, WRITABLE, 4)
        exhaust(device, world)
        assert.equal(device.allocate(world.domid, WRITABLE, 0).index, (4 + TOO_MANY) * PAGE)
        const { index, refs } = device.allocate(world.domid, WRITABLE, 2)
        assert.equal(index, (4 + TOO_MANY) * PAGE)
        await assertMappable(world, refs, true)
        assert.equal(world.open().allocate(world.domid, WRITABLE, 1).index, 0)
      },
    },
    {
      name: 'grants nothing of what failed: neither index nor mapping finds it',
      async run(world) {
        await world.setLimit(NO_LIMIT)
        const device = world.open()
        device.allocate(world.domid, WRITABLE, 4)
        exhaust(device, world)
        assert.throws(() => device.mmap(4 * PAGE, 1), { code: 'ENOENT' })
        assert.throws(() => device.deallocate(4 * PAGE, 1), { code: 'EINVAL' })
        assert.throws(() => device.deallocate(0, 5), { code: 'EINVAL' })
        assert.equal(
          device.allocate(world.domid, WRITABLE, 3000).refs.length,
          3000,
          'the table is free again',
        )
      },
    },
    {
      name: 'is told from a full limit and from a wedged driver by an allocation of no pages',
      async run(world) {
        await world.setLimit(NO_LIMIT)
        const device = world.open()
        const verdict = () => {
          try {
            return device.allocate(world.domid, WRITABLE, 0).index / PAGE
          } catch (error) {
            return error.code
          }
        }
        device.allocate(world.domid, WRITABLE, 2)
        exhaust(device, world)
        assert.equal(verdict(), 2 + TOO_MANY, 'grant table: the index has moved by the failed size')
        assert.throws(() => device.allocate(world.domid, WRITABLE, NO_LIMIT), ENOSPC)
        assert.equal(verdict(), 2 + TOO_MANY, 'limit: it has not')
        device.deallocate(0, 2)
        assert.equal(verdict(), 'ENOSPC', 'wedged')
      },
    },
    {
      name: 'B1: without reserve, one such failure wedges the driver for every file and every limit',
      async run(world) {
        await world.setLimit(NO_LIMIT)
        const device = world.open()
        exhaust(device, world)
        for (const pages of [1, 0]) assert.throws(() => device.allocate(world.domid, 1, pages), ENOSPC)
        device.close()
        const fresh = world.open()
        assert.throws(() => fresh.allocate(world.domid, WRITABLE, 0), ENOSPC, 'also for a new file')
        for (const limit of [1024, 2 ** 31 - 1, -1]) {
          await world.setLimit(limit)
          assert.throws(() => fresh.allocate(world.domid, 1, 1), ENOSPC, `whatever the limit: ${limit}`)
        }
        // -1 as the limit and -1 as the count are the same number: no pages is all that fits.
        assert.equal(fresh.allocate(world.domid, WRITABLE, 0).index, 0)
      },
    },
    {
      name: 'B1: with grants alive the limit drifts, and the driver wedges when they go',
      async run(world) {
        await world.setLimit(NO_LIMIT)
        const device = world.open()
        device.allocate(world.domid, WRITABLE, 3)
        exhaust(device, world)
        exhaust(device, world)
        await world.setLimit(5)
        const more = device.allocate(world.domid, WRITABLE, 4)
        assert.throws(() => device.allocate(world.domid, WRITABLE, 1), ENOSPC, '7 pages are counted as 5')
        device.deallocate(more.index, 4)
        device.deallocate(0, 1)
        assert.equal(device.allocate(world.domid, WRITABLE, 0).index, more.index + 4 * PAGE)
        device.deallocate(PAGE, 1)
        assert.throws(() => device.allocate(world.domid, WRITABLE, 0), ENOSPC, '1 page is counted as -1')
        const address = device.mmap(2 * PAGE, 1)
        world.write(address, [1])
        device.munmap(address, PAGE)
      },
    },
  ],
}
