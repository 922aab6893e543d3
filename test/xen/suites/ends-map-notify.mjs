import assert from 'node:assert/strict'
import { UNMAP_NOTIFY_CLEAR_BYTE as CLEAR, UNMAP_NOTIFY_SEND_EVENT as SEND } from '../../../dist/src/abi.js'
import { channelTo, eventFile, granted, mapDevice, mapped } from '../guest/ends.mjs'
import { PAGE, peek } from '../guest/raw.mjs'

const BRIEFLY_MS = 300
const refused = (code) => ({ name: 'GrantError', code, syscall: 'ioctl' })

/** Two pages mapped, and a channel whose one end the notification is to fire and whose other end is watched. */
async function watched(t, pages = 2) {
  const grant = granted(t, pages)
  const device = mapDevice(t)
  const [near, far] = [eventFile(t), eventFile(t)]
  const { port, own } = await channelTo(near, far)
  return {
    ...mapped(device, grant.names),
    device,
    grant,
    near,
    port,
    byte: (offset) => peek(grant.address + offset)[0],
    /** Whether the event comes. */
    fired: async (ms) => {
      const ports = await far.next(ms)
      far.unmask(ports)
      return ports.includes(own)
    },
  }
}

export default {
  name: 'gntdev: unmap notification',
  tests: [
    {
      name: 'refusals in order: action, port, map, read-only mapping',
      run(t) {
        const device = mapDevice(t)
        const { index, munmap, forget } = mapped(device, granted(t, 1).names, false)
        assert.throws(() => device.setUnmapNotify(index + PAGE, 4, 0), refused('EINVAL'))
        assert.throws(() => device.setUnmapNotify(index + PAGE, SEND, 4000), refused('EINVAL'))
        assert.throws(() => device.setUnmapNotify(index + PAGE, CLEAR, 4000), refused('ENOENT'))
        assert.throws(() => device.setUnmapNotify(index, CLEAR, 0), refused('EINVAL'))
        device.setUnmapNotify(index, 0, 4000)
        munmap()
        forget()
        assert.throws(() => device.setUnmapNotify(index, 0, 0), refused('ENOENT'))
      },
    },
    {
      name: 'mapping with a byte to clear is refused here: the kernel could crash over it',
      run(t) {
        const device = mapDevice(t)
        const { names } = granted(t, 1)
        const index = device.map(names)
        device.setUnmapNotify(index, CLEAR, 0)
        for (const writable of [false, true])
          assert.throws(() => device.mmap(index, 1, writable), { code: 'EINVAL', syscall: 'mmap' })
        device.setUnmapNotify(index, 0, 0)
        device.munmap(device.mmap(index, 1, false), PAGE)
        device.unmap(index, 1)
      },
    },
    {
      name: 'unmapped, then forgotten: the byte goes with the memory, the event with the map',
      async run(t) {
        const { device, index, port, munmap, forget, byte, fired } = await watched(t)
        device.setUnmapNotify(index + PAGE + 5, CLEAR | SEND, port)
        munmap()
        assert.deepEqual([byte(PAGE + 4), byte(PAGE + 5), byte(PAGE + 6)], [2, 0, 2])
        assert.equal(await fired(BRIEFLY_MS), false)
        forget()
        assert.equal(await fired(), true)
      },
    },
    {
      name: 'forgotten, then unmapped: both come with the memory',
      async run(t) {
        const { device, index, port, munmap, forget, byte, fired } = await watched(t)
        device.setUnmapNotify(index + 5, CLEAR | SEND, port)
        forget()
        assert.equal(await fired(BRIEFLY_MS), false)
        assert.equal(byte(5), 1)
        munmap()
        assert.deepEqual([byte(5), await fired()], [0, true])
      },
    },
    {
      name: 'the file closed, then unmapped: the same',
      async run(t) {
        const { device, index, port, munmap, byte, fired } = await watched(t)
        device.setUnmapNotify(index + 5, CLEAR | SEND, port)
        device.close()
        assert.equal(await fired(BRIEFLY_MS), false)
        assert.equal(byte(5), 1)
        munmap()
        assert.deepEqual([byte(5), await fired()], [0, true])
      },
    },
    {
      name: 'zero pages put over the memory count as unmapping',
      async run(t) {
        const { device, index, port, munmap, forget, byte, fired } = await watched(t)
        device.setUnmapNotify(index, CLEAR | SEND, port)
        munmap()
        forget()
        assert.deepEqual([byte(0), await fired()], [0, true])
      },
    },
    {
      name: 'one for the whole map: the later replaces the earlier, 0 disarms',
      async run(t) {
        const first = await watched(t)
        first.device.setUnmapNotify(first.index + 1, CLEAR | SEND, first.port)
        first.device.setUnmapNotify(first.index + PAGE + 1, CLEAR, 0)
        const second = await watched(t)
        second.device.setUnmapNotify(second.index, CLEAR | SEND, second.port)
        second.device.setUnmapNotify(second.index, 0, 0)
        for (const { munmap, forget } of [first, second]) {
          munmap()
          forget()
        }
        assert.deepEqual([first.byte(1), first.byte(PAGE + 1), second.byte(0)], [1, 0, 1])
        assert.deepEqual([await first.fired(BRIEFLY_MS), await second.fired(1)], [false, false])
      },
    },
    {
      name: 'a map that was never mapped still sends its event when it is forgotten',
      async run(t) {
        const { device, grant, port, fired } = await watched(t)
        const index = device.map(grant.names)
        device.setUnmapNotify(index, SEND, port)
        device.unmap(index, 2)
        assert.equal(await fired(), true)
      },
    },
    {
      name: 'keeps its port when the program that bound it closes it',
      async run(t) {
        const { device, index, near, port, munmap, forget, fired } = await watched(t)
        device.setUnmapNotify(index, SEND, port)
        near.device.unbind(port)
        await near.close()
        munmap()
        assert.equal(await fired(BRIEFLY_MS), false)
        forget()
        assert.equal(await fired(), true)
      },
    },
    {
      name: 'a mapper that is killed clears its byte, sends its event, and has let the pages go',
      async run(t) {
        const grant = granted(t, 2)
        const events = eventFile(t)
        const port = events.device.bindUnbound(0)
        const holder = t.node('map-holder.mjs', PAGE + 9, port, ...grant.refs)
        assert.equal(await holder.line(), 'holding')
        const event = events.next(20_000)
        await holder.kill('SIGKILL')
        assert.deepEqual(await event, [port])
        assert.deepEqual([...peek(grant.address + PAGE + 8, 3)], [2, 0, 2])
      },
    },
  ],
}
