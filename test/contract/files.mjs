import assert from 'node:assert/strict'
import { assertMappable, PAGE, WRITABLE } from './support.mjs'

export default {
  name: 'several files',
  tests: [
    {
      name: 'closing frees what nobody maps, and no other file notices',
      async run(world) {
        const [one, other] = [world.open(), world.open()]
        const ours = one.allocate(world.domid, WRITABLE, 3)
        const theirs = other.allocate(world.domid, WRITABLE, 3)
        one.munmap(one.mmap(ours.index, 3), 3 * PAGE)
        one.close()
        await assertMappable(world, ours.refs, false)
        await assertMappable(world, theirs.refs, true)
        other.munmap(other.mmap(theirs.index, 3), 3 * PAGE)
      },
    },
    {
      name: 'a mapping keeps the closed file it came from, and all grants of it, until it goes',
      async run(world) {
        const device = world.open()
        const { index, refs } = device.allocate(world.domid, WRITABLE, 3)
        const address = device.mmap(index + PAGE, 1)
        device.munmap(device.mmap(index, 1), PAGE)
        device.close()
        await assertMappable(world, refs, true)
        world.write(address, [9])
        assert.equal(world.read(address, 1)[0], 9)
        device.munmap(address, PAGE)
        await assertMappable(world, refs, false)
      },
    },
    {
      name: 'what was freed before the close is not kept by a mapping of other pages',
      async run(world) {
        const device = world.open()
        const { index, refs } = device.allocate(world.domid, WRITABLE, 3)
        const address = device.mmap(index, 1)
        device.deallocate(index + 2 * PAGE, 1)
        device.close()
        await assertMappable(world, refs, [true, true, false])
        device.munmap(address, PAGE)
        await assertMappable(world, refs, false)
      },
    },
    {
      name: 'the pages a closed file keeps through its mapping count against the limit',
      run(world) {
        const [device, other] = [world.open(), world.open()]
        const { index } = device.allocate(world.domid, WRITABLE, world.limit)
        const address = device.mmap(index, 1)
        device.close()
        assert.throws(() => other.allocate(world.domid, WRITABLE, 1), { code: 'ENOSPC' })
        device.munmap(address, PAGE)
        other.allocate(world.domid, WRITABLE, world.limit)
      },
    },
    {
      name: 'may use the same indexes at the same time',
      async run(world) {
        const devices = [world.open(), world.open(), world.open()]
        const refs = devices.map((device) => device.allocate(world.domid, WRITABLE, 2).refs)
        const addresses = devices.map((device) => device.mmap(0, 2))
        for (const [i, address] of addresses.entries()) world.write(address, [i + 1])
        devices[1].deallocate(0, 2)
        devices[1].munmap(addresses[1], 2 * PAGE)
        await assertMappable(
          world,
          refs.flatMap((all) => [...all]),
          [true, true, false, false, true, true],
        )
        assert.equal(world.read(addresses[0], 1)[0], 1)
        assert.equal(world.read(addresses[2], 1)[0], 3)
        devices[0].munmap(addresses[0], 2 * PAGE)
        devices[2].munmap(addresses[2], 2 * PAGE)
      },
    },
  ],
}
