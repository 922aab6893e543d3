import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import {
  IOCTL_GNTALLOC_ALLOC_GREF,
  IOCTL_GNTALLOC_DEALLOC_GREF,
  IOCTL_GNTALLOC_SET_UNMAP_NOTIFY,
  UNMAP_NOTIFY_SEND_EVENT,
} from '../../../dist/src/abi.js'
import { limit, setLimit } from '../guest/module.mjs'
import { ioctl, MAP, mmap, munmap, PAGE, PROT, poke } from '../guest/raw.mjs'
import { alloc, dealloc, setUnmapNotify } from '../guest/raw-gntalloc.mjs'

// What only a bare descriptor can ask for. Everything that the device seam can express is in test/contract.

export default {
  name: 'the driver itself',
  tests: [
    {
      name: 'a bad address is EFAULT in every request, a wrong size or number ENOTTY',
      run(t) {
        const { fd } = t.gntallocFd()
        for (const request of [
          IOCTL_GNTALLOC_ALLOC_GREF,
          IOCTL_GNTALLOC_DEALLOC_GREF,
          IOCTL_GNTALLOC_SET_UNMAP_NOTIFY,
        ]) {
          assert.equal(ioctl(fd, request, 8).error, 'EFAULT')
        }
        assert.equal(alloc(fd, { request: 0x00144705 }).error, 'ENOTTY')
        assert.equal(alloc(fd, { request: 0x0018470f }).error, 'ENOTTY')
        assert.equal(alloc(fd, { count: 0 }).index, 0)
      },
    },
    {
      name: 'EFAULT while the references are copied out leaves the grants in place',
      run(t) {
        const { fd } = t.gntallocFd()
        // The fixed part ends with the page, the references beyond it hit a hole.
        const { address } = mmap(-1, 0, 2 * PAGE, 3, MAP.PRIVATE | MAP.ANONYMOUS)
        munmap(address + PAGE, PAGE)
        t.defer(() => munmap(address, PAGE))
        const request = address + PAGE - 24
        poke(request, [0, 0, 1, 0, 4, 0, 0, 0])
        assert.equal(ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, request).error, 'EFAULT')
        assert.equal(alloc(fd, { count: 0 }).index, 4 * PAGE)
        assert.equal(dealloc(fd, 0, 4).error, undefined)
      },
    },
    {
      name: 'unknown flags come back as they were',
      run(t) {
        const { fd } = t.gntallocFd()
        for (const flags of [0xfffe, 0xffff]) {
          const { error, flags: after } = alloc(fd, { flags })
          assert.deepEqual({ error, after }, { error: undefined, after: flags })
        }
      },
    },
    {
      name: 'private mappings and read-only files are refused',
      run(t) {
        const { fd } = t.gntallocFd()
        alloc(fd)
        assert.equal(mmap(fd, 0, PAGE, PROT.READ, MAP.PRIVATE).error, 'EINVAL')
        assert.equal(mmap(fd, 0, PAGE, PROT.READ | PROT.WRITE, MAP.PRIVATE).error, 'EINVAL')
        const readOnly = t.gntallocFd('r').fd
        assert.equal(alloc(readOnly).error, undefined, 'a read-only file may allocate')
        assert.equal(mmap(readOnly, 0, PAGE, PROT.READ).error, 'EINVAL')
        assert.equal(mmap(readOnly, 0, PAGE, PROT.READ | PROT.WRITE).error, 'EACCES')
      },
    },
    {
      name: 'the length of a mapping is rounded up to pages',
      run(t) {
        const { fd } = t.gntallocFd()
        alloc(fd, { count: 2 })
        const { address, error } = mmap(fd, 0, 100)
        assert.equal(error, undefined)
        poke(address + PAGE - 1, [1])
        munmap(address, PAGE)
      },
    },
    {
      name: 'a notification keeps its port when the file that bound it is closed',
      async run(t) {
        const [sender, receiver] = [t.evtchn(), t.evtchn()]
        const port = sender.unbound()
        const own = await receiver.connect(port)
        const gntalloc = t.gntallocFd()
        const { index } = alloc(gntalloc.fd)
        assert.equal(setUnmapNotify(gntalloc.fd, index, UNMAP_NOTIFY_SEND_EVENT, port).error, undefined)
        sender.close()
        dealloc(gntalloc.fd, index, 1)
        assert.deepEqual(await receiver.fired(2000), [own])
      },
    },
    {
      name: 'a port of no file is EINVAL, like one that is closed',
      run(t) {
        const sender = t.evtchn()
        const port = sender.unbound()
        sender.close()
        const { fd } = t.gntallocFd()
        const { index } = alloc(fd)
        for (const bad of [port, 0, 0xffff_ffff])
          assert.equal(setUnmapNotify(fd, index, UNMAP_NOTIFY_SEND_EVENT, bad).error, 'EINVAL')
      },
    },
    {
      name: 'the limit is a file: it takes what fits an int and nothing else',
      run(t) {
        const before = limit()
        for (const value of [3_000_000_000, -3_000_000_000])
          assert.throws(() => setLimit(t, value), { code: 'ERANGE' })
        assert.throws(() => setLimit(t, 'many'), { code: 'EINVAL' })
        assert.equal(limit(), before)
        setLimit(t, -5)
        assert.equal(limit(), -5)
        writeFileSync('/sys/module/xen_gntalloc/parameters/limit', '5\n')
        assert.equal(t.gntalloc().limits().limit, 5)
      },
    },
    {
      name: 'the module cannot be removed while a file is open',
      run(t) {
        t.gntalloc()
        assert.throws(
          () => execFileSync('rmmod', ['xen_gntalloc'], { stdio: 'pipe' }),
          /temporarily unavailable|busy/,
        )
      },
    },
  ],
}
