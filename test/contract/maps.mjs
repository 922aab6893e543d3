import assert from 'node:assert/strict'
import { GrantError } from '../../dist/src/errors.js'
import { assertMappable, MMAP_ENOENT, PAGE, WRITABLE } from './support.mjs'

export default {
  name: 'map',
  tests: [
    {
      name: 'a part of an allocation is the same memory as the whole of it',
      run(world) {
        const device = world.open()
        const { index } = device.allocate(world.domid, WRITABLE, 4)
        const whole = device.mmap(index, 4)
        const part = device.mmap(index + 2 * PAGE, 1)
        const again = device.mmap(index, 4)
        world.write(whole + 2 * PAGE, [1, 2, 3])
        assert.deepEqual([...world.read(part, 3)], [1, 2, 3])
        world.write(part + PAGE - 1, [4])
        assert.equal(world.read(again + 3 * PAGE - 1, 1)[0], 4)
        device.munmap(whole, 4 * PAGE)
        assert.deepEqual([...world.read(part, 3)], [1, 2, 3])
        device.munmap(part, PAGE)
        device.munmap(again, 4 * PAGE)
      },
    },
    {
      name: 'one munmap takes several mappings that lie side by side, and no others',
      run(world) {
        const device = world.open()
        const { index, refs } = device.allocate(world.domid, WRITABLE, 32)
        const all = Array.from(refs, (_, page) => device.mmap(index + page * PAGE, 1)).sort((a, b) => a - b)
        // Linux puts one below the other; a page of something else may lie in between.
        const first = all.findIndex(
          (address, i) => all[i + 1] === address + PAGE && all[i + 2] === address + 2 * PAGE,
        )
        assert.ok(first >= 0, `no three side by side: ${all}`)
        const [start, , , ...others] = [...all.slice(first), ...all.slice(0, first)]
        for (const [i, address] of others.entries()) world.write(address, [i + 1])
        device.munmap(start, 3 * PAGE)
        for (const [i, address] of others.entries()) {
          assert.equal(world.read(address, 1)[0], i + 1)
          device.munmap(address, PAGE)
        }
        device.deallocate(index, 32)
      },
    },
    {
      name: 'addresses are page-aligned safe integers and writable over their whole length',
      run(world) {
        const device = world.open()
        const address = device.mmap(device.allocate(world.domid, WRITABLE, 300).index, 300)
        assert.ok(Number.isSafeInteger(address) && address > 0 && address % PAGE === 0)
        world.write(address, Buffer.alloc(300 * PAGE, 0xa5))
        assert.equal(world.read(address + 300 * PAGE - 1, 1)[0], 0xa5)
        device.munmap(address, 300 * PAGE)
      },
    },
    {
      name: 'what is not a run of this file is ENOENT',
      run(world) {
        const [device, other] = [world.open(), world.open()]
        const { index } = device.allocate(world.domid, WRITABLE, 3)
        other.allocate(world.domid, WRITABLE, 1)
        assert.throws(() => device.mmap(index + 3 * PAGE, 1), MMAP_ENOENT)
        assert.throws(() => device.mmap(index, 4), MMAP_ENOENT)
        assert.throws(() => device.mmap(2 ** 40, 1), MMAP_ENOENT)
        assert.throws(() => other.mmap(PAGE, 1), MMAP_ENOENT)
        device.deallocate(index + PAGE, 1)
        assert.throws(() => device.mmap(index, 3), MMAP_ENOENT, 'a hole inside')
        assert.throws(() => device.mmap(index + PAGE, 1), MMAP_ENOENT)
        device.munmap(device.mmap(index + 2 * PAGE, 1), PAGE)
      },
    },
    {
      name: 'an index inside a page and no pages at all are EINVAL, before anything is looked up',
      run(world) {
        const device = world.open()
        const { index } = device.allocate(world.domid, WRITABLE, 2)
        const einval = { name: 'GrantError', code: 'EINVAL', errno: -22, syscall: 'mmap' }
        assert.throws(() => device.mmap(index + 100, 1), einval)
        assert.throws(() => device.mmap(index, 0), einval)
        assert.throws(() => device.mmap(50 * PAGE + 1, 1), einval)
        assert.throws(() => device.mmap(50 * PAGE, 0), einval)
      },
    },
    {
      name: 'a mapping across two allocations never reaches the driver, which would take it',
      run(world) {
        const device = world.open()
        device.allocate(world.domid, WRITABLE, 2)
        device.allocate(world.domid, WRITABLE, 2)
        for (const [index, count] of [
          [PAGE, 2],
          [0, 4],
          [0, 3],
        ]) {
          assert.throws(
            () => device.mmap(index, count),
            (error) => !(error instanceof GrantError) && /span two allocations/.test(error.message),
          )
        }
        device.munmap(device.mmap(2 * PAGE, 2), 2 * PAGE)
      },
    },
    {
      name: 'a hole left by a piece may be filled by another mapping, and each keeps its own pages',
      async run(world) {
        const device = world.open()
        const first = device.allocate(world.domid, WRITABLE, 4)
        const second = device.allocate(world.domid, WRITABLE, 1)
        const one = device.mmap(first.index, 4)
        device.munmap(one, PAGE)
        // The kernel likes to fill it at once. Wherever they come to lie, they are two.
        const other = device.mmap(second.index, 1)
        world.write(other, [7])
        world.write(one + PAGE, [8])
        device.deallocate(first.index, 4)
        device.deallocate(second.index, 1)
        device.munmap(other, PAGE)
        await assertMappable(world, second.refs, false)
        await assertMappable(world, first.refs, true)
        assert.equal(world.read(one + PAGE, 1)[0], 8)
        device.munmap(one + PAGE, 3 * PAGE)
        await assertMappable(world, first.refs, false)
      },
    },
    {
      name: 'zero pages in place of a mapping let the grant go and keep the address readable',
      async run(world) {
        const device = world.open()
        const { index, refs } = device.allocate(world.domid, WRITABLE, 2)
        const address = device.mmap(index, 2)
        const peer = await world.map(refs)
        world.write(address, Buffer.alloc(2 * PAGE, 0x55))
        device.munmap(address, 2 * PAGE)
        assert.ok(world.read(address, 2 * PAGE).equals(Buffer.alloc(2 * PAGE)))
        world.write(address, [7])
        assert.deepEqual([...peer.read(0, 2)], [0x55, 0x55], 'a stale write reaches nobody')
        await peer.unmap()
        await assertMappable(world, refs, true)
        device.deallocate(index, 2)
        await assertMappable(world, refs, false)
        assert.equal(world.read(address, 1)[0], 7)
      },
    },
    {
      name: 'zero pages in place of a part release nothing, in place of the rest all',
      async run(world) {
        const device = world.open()
        const { index, refs } = device.allocate(world.domid, WRITABLE, 3)
        const address = device.mmap(index, 3)
        world.write(address, Buffer.alloc(3 * PAGE, 0x55))
        device.deallocate(index, 3)
        device.munmap(address + PAGE, PAGE)
        await assertMappable(world, refs, true)
        const bytes = [0, PAGE, 2 * PAGE].map((offset) => world.read(address + offset, 1)[0])
        assert.deepEqual(bytes, [0x55, 0, 0x55])
        device.munmap(address, PAGE)
        device.munmap(address + 2 * PAGE, PAGE)
        await assertMappable(world, refs, false)
      },
    },
  ],
}
