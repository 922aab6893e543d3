import assert from 'node:assert/strict'
import { CLEAR, PAGE, refused, SEND, shared, WRITABLE } from './support.mjs'

const UNBOUND_PORT = 4000
const UNKNOWN_ACTION = 4

export default {
  name: 'setting an unmap notification',
  tests: [
    {
      name: 'is refused for the page first, then for the action, then for the port',
      run(world) {
        const device = world.open()
        const { index } = device.allocate(world.domid, WRITABLE, 1)
        const set = (at, action, port) => () => device.setUnmapNotify(index + at, action, port)
        const [enoent, einval] = [refused(device, 'ENOENT', { errno: -2 }), refused(device, 'EINVAL')]
        assert.throws(set(PAGE, UNKNOWN_ACTION | SEND, UNBOUND_PORT), enoent)
        assert.throws(set(PAGE - 1, UNKNOWN_ACTION | SEND, UNBOUND_PORT), einval)
        assert.throws(set(0, UNKNOWN_ACTION, 0), einval)
        assert.throws(set(0, 0xffff_ffff, 0), einval)
        assert.throws(set(0, SEND, UNBOUND_PORT), einval)
        assert.throws(set(0, CLEAR | SEND, 0), einval)
      },
    },
    {
      name: 'looks at the port only when an event is to be sent',
      run(world) {
        const device = world.open()
        const { index } = device.allocate(world.domid, WRITABLE, 1)
        device.setUnmapNotify(index, CLEAR, UNBOUND_PORT)
        device.setUnmapNotify(index, 0, UNBOUND_PORT)
      },
    },
    {
      name: 'is ENOENT for pages of other files and for pages that were freed',
      run(world) {
        const [device, other] = [world.open(), world.open()]
        const { index } = device.allocate(world.domid, WRITABLE, 2)
        assert.throws(() => other.setUnmapNotify(index, CLEAR, 0), refused(other, 'ENOENT'))
        device.deallocate(index, 1)
        assert.throws(() => device.setUnmapNotify(index, CLEAR, 0), refused(device, 'ENOENT'))
        device.setUnmapNotify(index + PAGE, CLEAR, 0)
        const address = device.mmap(index + PAGE, 1)
        device.deallocate(index + PAGE, 1)
        assert.throws(() => device.setUnmapNotify(index + PAGE, 0, 0), refused(device, 'ENOENT'), 'mapped')
        device.munmap(address, PAGE)
      },
    },
    {
      name: 'replaces the earlier one, and action 0 disarms',
      async run(world) {
        const port = await world.bindPort()
        const { device, index, unmap, seen } = await shared(world, 3)
        device.setUnmapNotify(index + 1, CLEAR, 0)
        device.setUnmapNotify(index + 2, CLEAR, 0)
        device.setUnmapNotify(index + PAGE, CLEAR, 0)
        device.setUnmapNotify(index + PAGE, 0, 0)
        device.setUnmapNotify(index + 2 * PAGE, CLEAR | SEND, port)
        device.setUnmapNotify(index + 2 * PAGE + 9, CLEAR, 0)
        device.deallocate(index, 3)
        unmap()
        assert.deepEqual(seen(1, 2, PAGE, 2 * PAGE, 2 * PAGE + 9), [0xff, 0, 0xff, 0xff, 0])
        assert.ok(await world.silent(port))
      },
    },
    {
      name: 'moves the event to the port named last, which may be the same',
      async run(world) {
        const [one, other] = [await world.bindPort(), await world.bindPort()]
        const { device, index, unmap } = await shared(world, 2)
        device.setUnmapNotify(index, SEND, one)
        device.setUnmapNotify(index, SEND, other)
        device.setUnmapNotify(index, SEND, other)
        unmap()
        device.deallocate(index, 1)
        assert.ok(await world.fired(other))
        assert.ok(await world.silent(one))
      },
    },
    {
      name: 'when refused, leaves the earlier one in place',
      async run(world) {
        const port = await world.bindPort()
        const { device, index, unmap, seen } = await shared(world, 1)
        device.setUnmapNotify(index + 3, CLEAR | SEND, port)
        assert.throws(() => device.setUnmapNotify(index + 4, UNKNOWN_ACTION, 0), { code: 'EINVAL' })
        assert.throws(() => device.setUnmapNotify(index + 4, CLEAR | SEND, UNBOUND_PORT), { code: 'EINVAL' })
        unmap()
        device.deallocate(index, 1)
        assert.deepEqual(seen(3, 4), [0, 0xff])
        assert.ok(await world.fired(port))
      },
    },
  ],
}
