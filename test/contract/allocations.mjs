import assert from 'node:assert/strict'
import { assertMappable, assertRefused, PAGE, WRITABLE } from './support.mjs'

export default {
  name: 'allocate',
  tests: [
    {
      name: 'gives as many references as pages, none of them 0, none twice',
      run(world) {
        const device = world.open()
        const refs = [500, 1, 499].flatMap((count) => [...device.allocate(world.domid, 1, count).refs])
        assert.equal(refs.length, 1000)
        assert.equal(new Set(refs).size, 1000)
        assert.ok(!refs.includes(0))
      },
    },
    {
      name: 'never overwrites the references of an earlier call',
      run(world) {
        const device = world.open()
        const first = device.allocate(world.domid, WRITABLE, 4).refs
        const copy = [...first]
        device.allocate(world.domid, WRITABLE, 4)
        device.allocate(world.domid, WRITABLE, 300)
        assert.deepEqual([...first], copy)
      },
    },
    {
      name: 'gives zeroed pages, also those that another allocation has written to',
      run(world) {
        const device = world.open()
        for (let round = 0; round < 3; round++) {
          const { index } = device.allocate(world.domid, WRITABLE, 64)
          const address = device.mmap(index, 64)
          assert.ok(world.read(address, 64 * PAGE).equals(Buffer.alloc(64 * PAGE)))
          world.write(address, Buffer.alloc(64 * PAGE, 0xff))
          device.munmap(address, 64 * PAGE)
          device.deallocate(index, 64)
        }
      },
    },
    {
      name: 'checks no domid, reserved ones neither',
      async run(world) {
        const device = world.open()
        for (const domid of [world.stranger, 12345, 0x7ff0, 0x7ff1, 0xffff]) {
          const { refs } = device.allocate(domid, WRITABLE, 1)
          await assertMappable(world, refs, false)
        }
      },
    },
    {
      name: 'looks at the writable bit of the flags and at no other',
      async run(world) {
        const device = world.open()
        const readable = device.allocate(world.domid, 0xfffe, 1).refs
        const writable = device.allocate(world.domid, 0xffff, 1).refs
        await assertRefused(world, readable)
        await assertMappable(world, readable, true)
        await (await world.map(writable)).unmap()
      },
    },
    {
      name: 'answers every call of a closed file with EBADF, and closing twice is harmless',
      run(world) {
        const device = world.open()
        device.allocate(world.domid, WRITABLE, 1)
        device.close()
        device.close()
        const closed = { name: 'GrantError', code: 'EBADF', errno: -9 }
        assert.throws(() => device.allocate(world.domid, WRITABLE, 1), closed)
        assert.throws(() => device.allocate(world.domid, WRITABLE, 0), closed)
        assert.throws(() => device.deallocate(0, 1), closed)
        assert.throws(() => device.setUnmapNotify(0, 1, 0), closed)
        assert.throws(() => device.mmap(0, 1), { ...closed, syscall: 'mmap' })
      },
    },
  ],
}
