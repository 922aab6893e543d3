import assert from 'node:assert/strict'
import { assertMappable, MMAP_ENOENT, PAGE, refused, WRITABLE } from './support.mjs'

export default {
  name: 'free',
  tests: [
    {
      name: 'any part of an allocation can be freed, and only once',
      async run(world) {
        const device = world.open()
        const { index, refs } = device.allocate(world.domid, WRITABLE, 6)
        device.deallocate(index + 2 * PAGE, 2)
        await assertMappable(world, refs, [true, true, false, false, true, true])
        const einval = refused(device, 'EINVAL', { errno: -22 })
        assert.throws(() => device.deallocate(index + 2 * PAGE, 1), { ...einval, pages: 1 })
        assert.throws(() => device.deallocate(index, 6), { ...einval, pages: 6 }, 'there is a hole inside')
        assert.throws(() => device.deallocate(index, 3), einval)
        assert.throws(() => device.deallocate(index + 3 * PAGE, 2), einval)
        await assertMappable(world, refs, [true, true, false, false, true, true], 'a refusal frees nothing')
        device.deallocate(index, 2)
        device.deallocate(index + 4 * PAGE, 2)
        assert.throws(() => device.deallocate(index, 6), einval)
      },
    },
    {
      name: 'adjacent allocations can be freed by one call',
      async run(world) {
        const device = world.open()
        const refs = [2, 3, 4].flatMap((count) => [...device.allocate(world.domid, 1, count).refs])
        device.deallocate(PAGE, 7)
        await assertMappable(world, refs, [true, ...Array(7).fill(false), true])
        assert.throws(() => device.mmap(PAGE, 1), MMAP_ENOENT)
        device.munmap(device.mmap(0, 1), PAGE)
        device.munmap(device.mmap(8 * PAGE, 1), PAGE)
      },
    },
    {
      name: 'unknown, unaligned, foreign and empty ranges are EINVAL',
      run(world) {
        const [device, other] = [world.open(), world.open()]
        const { index } = device.allocate(world.domid, WRITABLE, 2)
        for (const [at, pages] of [
          [index + 2 * PAGE, 1],
          [index + 1, 1],
          [index + PAGE - 1, 1],
          [index, 0],
          [index, 3],
          [2 ** 40, 1],
          [0, 2 ** 32 - 1],
        ]) {
          assert.throws(() => device.deallocate(at, pages), refused(device, 'EINVAL', { pages }))
        }
        assert.throws(() => other.deallocate(index, 2), refused(other, 'EINVAL'))
        device.deallocate(index, 2)
      },
    },
    {
      name: 'a page mapped here stays granted and usable until it is unmapped',
      async run(world) {
        const device = world.open()
        const { index, refs } = device.allocate(world.domid, WRITABLE, 1)
        const address = device.mmap(index, 1)
        device.deallocate(index, 1)
        await assertMappable(world, refs, true)
        world.write(address, [1, 2, 3])
        const peer = await world.map(refs)
        assert.deepEqual([...peer.read(0, 3)], [1, 2, 3])
        await peer.unmap()
        assert.throws(() => device.mmap(index, 1), MMAP_ENOENT)
        assert.throws(() => device.setUnmapNotify(index, 1, 0), refused(device, 'ENOENT'))
        assert.throws(() => device.deallocate(index, 1), refused(device, 'EINVAL'))
        device.munmap(address, PAGE)
        await assertMappable(world, refs, false)
      },
    },
    {
      name: 'a page mapped twice stays until both mappings are gone',
      async run(world) {
        const device = world.open()
        const { index, refs } = device.allocate(world.domid, WRITABLE, 2)
        const [one, other] = [device.mmap(index, 2), device.mmap(index + PAGE, 1)]
        device.deallocate(index, 2)
        device.munmap(one, 2 * PAGE)
        await assertMappable(world, refs, [false, true])
        device.munmap(other, PAGE)
        await assertMappable(world, refs, false)
      },
    },
    {
      name: 'unmapping a part releases nothing, the last part releases all',
      async run(world) {
        const device = world.open()
        const { index, refs } = device.allocate(world.domid, WRITABLE, 4)
        const address = device.mmap(index, 4)
        device.deallocate(index, 4)
        device.munmap(address + PAGE, PAGE)
        device.munmap(address + 2 * PAGE, 2 * PAGE)
        await assertMappable(world, refs, true)
        world.write(address + PAGE - 1, [1])
        device.munmap(address, PAGE)
        await assertMappable(world, refs, false)
      },
    },
    {
      name: 'pages that are unmapped but not freed stay granted',
      async run(world) {
        const device = world.open()
        const { index, refs } = device.allocate(world.domid, WRITABLE, 2)
        for (let round = 0; round < 3; round++) device.munmap(device.mmap(index, 2), 2 * PAGE)
        await assertMappable(world, refs, true)
      },
    },
    {
      name: 'the same references may be given out again for other pages',
      run(world) {
        const device = world.open()
        const kept = device.allocate(world.domid, WRITABLE, 4).refs
        const seen = new Set()
        for (let round = 0; round < 20; round++) {
          const { index, refs } = device.allocate(world.domid, WRITABLE, 4)
          for (const ref of refs) assert.ok(!kept.includes(ref), 'never one that is in use')
          for (const ref of refs) seen.add(ref)
          device.deallocate(index, 4)
        }
        assert.ok(seen.size < 80, `80 pages one after the other took ${seen.size} references`)
      },
    },
  ],
}
