import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  UNMAP_NOTIFY_CLEAR_BYTE as CLEAR,
  IOCTL_GNTALLOC_SET_UNMAP_NOTIFY,
  UNMAP_NOTIFY_SEND_EVENT as SEND,
} from '../../../dist/src/abi.js'
import { ioctl, PAGE, peek, poke } from '../guest/raw.mjs'

const SOON_MS = 2000
const BRIEFLY_MS = 300

/** Pages full of 0xff, mapped here and by a peer, who still sees them when the owner has let go. */
function shared(t, count, { flags = 1 } = {}) {
  const device = t.gntalloc()
  const { index, refs } = device.allocate(0, flags, count)
  const address = device.mmap(index, count)
  poke(address, Buffer.alloc(count * PAGE, 0xff))
  const peer = t.gntdev().map(refs, { writable: flags === 1 })
  t.defer(peer.unmap)
  return {
    device,
    index,
    address,
    unmap: () => device.munmap(address, count * PAGE),
    seen: (offset) => peek(peer.address + offset)[0],
  }
}

export default {
  name: 'unmap notification',
  tests: [
    {
      name: 'clears its byte when the last of grant and mapping goes, not before',
      run(t) {
        const { device, index, unmap, seen } = shared(t, 1)
        device.setUnmapNotify(index + 100, CLEAR, 0)
        device.deallocate(index, 1)
        assert.equal(seen(100), 0xff, 'still mapped here')
        unmap()
        assert.deepEqual([seen(99), seen(100), seen(101)], [0xff, 0, 0xff])
      },
    },
    {
      name: 'waits for the free when the mapping goes first',
      run(t) {
        const { device, index, unmap, seen } = shared(t, 1)
        device.setUnmapNotify(index + PAGE - 1, CLEAR, 0)
        unmap()
        assert.equal(seen(PAGE - 1), 0xff)
        device.deallocate(index, 1)
        assert.equal(seen(PAGE - 1), 0)
      },
    },
    {
      name: 'fires on close, and with a mapping only when that goes too',
      run(t) {
        const [closed, mapped] = [shared(t, 1), shared(t, 1)]
        for (const { device, index } of [closed, mapped]) device.setUnmapNotify(index, CLEAR, 0)
        closed.unmap()
        closed.device.close()
        assert.equal(closed.seen(0), 0)
        mapped.device.close()
        assert.equal(mapped.seen(0), 0xff)
        mapped.unmap()
        assert.equal(mapped.seen(0), 0)
      },
    },
    {
      name: 'each page has its own, and unmapping a part fires none',
      run(t) {
        const { device, index, address, seen } = shared(t, 3)
        device.setUnmapNotify(index + 1, CLEAR, 0)
        device.setUnmapNotify(index + 2 * PAGE + 3, CLEAR, 0)
        device.deallocate(index, 3)
        device.munmap(address, 2 * PAGE)
        assert.deepEqual([seen(1), seen(2 * PAGE + 3)], [0xff, 0xff])
        device.munmap(address + 2 * PAGE, PAGE)
        assert.deepEqual([seen(1), seen(PAGE + 1), seen(2 * PAGE + 3)], [0, 0xff, 0])
      },
    },
    {
      name: 'a later setting replaces the earlier one, action 0 disarms',
      run(t) {
        const { device, index, unmap, seen } = shared(t, 2)
        device.setUnmapNotify(index + 1, CLEAR, 0)
        device.setUnmapNotify(index + 2, CLEAR, 0)
        device.setUnmapNotify(index + PAGE, CLEAR, 0)
        device.setUnmapNotify(index + PAGE, 0, 0)
        device.deallocate(index, 2)
        unmap()
        assert.deepEqual([seen(1), seen(2), seen(PAGE)], [0xff, 0, 0xff])
      },
    },
    {
      name: 'works for a page the peer may only read',
      run(t) {
        const { device, index, unmap, seen } = shared(t, 1, { flags: 0 })
        device.setUnmapNotify(index, CLEAR, 0)
        unmap()
        device.deallocate(index, 1)
        assert.equal(seen(0), 0)
      },
    },
    {
      name: 'sends its event, also when the sending end has been closed since',
      async run(t) {
        const [sender, receiver] = [t.evtchn(), t.evtchn()]
        const port = sender.unbound()
        const own = await receiver.connect(port)
        const { device, index, unmap, seen } = shared(t, 1)
        device.setUnmapNotify(index, CLEAR | SEND, port)
        sender.close()
        device.deallocate(index, 1)
        assert.deepEqual(await receiver.fired(BRIEFLY_MS), [])
        unmap()
        assert.deepEqual(await receiver.fired(SOON_MS), [own])
        assert.equal(seen(0), 0)
      },
    },
    {
      name: 'refusals in order: address, page, action, port',
      run(t) {
        const device = t.gntalloc()
        const { index } = device.allocate(0, 1, 1)
        assert.equal(ioctl(t.gntallocFd().fd, IOCTL_GNTALLOC_SET_UNMAP_NOTIFY, 8).error, 'EFAULT')
        const refused = (code) => ({ name: 'GrantError', code, syscall: 'ioctl' })
        assert.throws(() => device.setUnmapNotify(index + PAGE, 0xff, 0), refused('ENOENT'))
        assert.throws(() => device.setUnmapNotify(index, 4, 0), refused('EINVAL'))
        assert.throws(() => device.setUnmapNotify(index, SEND, 4000), refused('EINVAL'))
        device.setUnmapNotify(index, CLEAR, 4000)
      },
    },
    {
      name: 'fires when the process is killed, and its grants are gone',
      async run(t) {
        const holder = t.node('holder.mjs', 2, 2)
        const refs = JSON.parse(await holder.line())
        const device = t.gntdev()
        const peer = device.map([refs[0]])
        assert.equal(peek(peer.address)[0], 0xaa)
        assert.ok(device.canMap(refs[1]))
        await holder.kill('SIGKILL')
        const deadline = performance.now() + SOON_MS
        while (peek(peer.address)[0] !== 0 && performance.now() < deadline) await sleep(20)
        assert.equal(peek(peer.address)[0], 0)
        assert.equal(device.canMap(refs[1]), false)
        peer.unmap()
      },
    },
  ],
}
