import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { IOCTL_GNTALLOC_ALLOC_GREF } from '../../../dist/src/abi.js'
import { limit, setLimit } from '../guest/module.mjs'
import { ioctl, MAP, mmap, munmap, PAGE, peek, poke } from '../guest/raw.mjs'
import { alloc, dealloc } from '../guest/raw-gntalloc.mjs'

export default {
  name: 'allocate',
  tests: [
    {
      name: 'indexes start at 0, grow by the pages asked for and are never used again',
      run(t) {
        const device = t.gntalloc()
        assert.equal(device.allocate(0, 1, 3).index, 0)
        assert.equal(device.allocate(0, 1, 1).index, 3 * PAGE)
        device.deallocate(0, 3)
        assert.equal(device.allocate(0, 1, 2).index, 4 * PAGE)
        assert.equal(t.gntalloc().allocate(0, 1, 1).index, 0, 'each file counts for itself')
      },
    },
    {
      name: 'count 0 tells the next index and changes nothing',
      run(t) {
        const device = t.gntalloc()
        assert.deepEqual(device.allocate(0, 1, 0), { index: 0, refs: new Uint32Array() })
        device.allocate(0, 1, 5)
        for (let i = 0; i < 3; i++) assert.equal(device.allocate(7, 0, 0).index, 5 * PAGE)
      },
    },
    {
      name: 'a large allocation has as many refs as pages, none 0, none twice',
      run(t) {
        const device = t.gntalloc()
        const refs = [...device.allocate(0, 1, 500).refs, ...device.allocate(0, 0, 500).refs]
        assert.equal(new Set(refs).size, 1000)
        assert.ok(!refs.includes(0))
      },
    },
    {
      name: 'the refs of an earlier call are not overwritten by a later one',
      run(t) {
        const device = t.gntalloc()
        const first = device.allocate(0, 1, 4).refs
        const copy = [...first]
        device.allocate(0, 1, 4)
        assert.deepEqual([...first], copy)
      },
    },
    {
      name: 'pages are zeroed, also those that another allocation has written to',
      run(t) {
        const device = t.gntalloc()
        for (let round = 0; round < 3; round++) {
          const { index } = device.allocate(0, 1, 64)
          const address = device.mmap(index, 64)
          assert.ok(peek(address, 64 * PAGE).equals(Buffer.alloc(64 * PAGE)))
          poke(address, Buffer.alloc(64 * PAGE, 0xff))
          device.munmap(address, 64 * PAGE)
          device.deallocate(index, 64)
        }
      },
    },
    {
      name: 'beyond the limit: ENOSPC, no index consumed, and the error says what was asked for',
      run(t) {
        const device = t.gntalloc()
        device.allocate(3, 1, 2)
        for (const pages of [limit() + 1, limit() - 1]) {
          const fields = { name: 'GrantError', code: 'ENOSPC', errno: -28, syscall: 'ioctl', domid: 3, pages }
          assert.throws(() => device.allocate(3, 1, pages), { ...fields, path: '/dev/xen/gntalloc' })
          assert.equal(device.allocate(3, 1, 0).index, 2 * PAGE)
        }
      },
    },
    {
      name: 'the limit counts the pages of all files together',
      run(t) {
        const [one, other] = [t.gntalloc(), t.gntalloc()]
        one.allocate(0, 1, limit() - 10)
        assert.throws(() => other.allocate(0, 1, 11), { code: 'ENOSPC' })
        other.allocate(0, 1, 10)
        one.close()
        other.allocate(0, 1, limit() - 10)
      },
    },
    {
      name: 'a limit lowered below the use refuses even count 0, and nothing more',
      run(t) {
        const device = t.gntalloc()
        const { index, refs } = device.allocate(0, 1, 8)
        setLimit(t, 7)
        assert.throws(() => device.allocate(0, 1, 0), { code: 'ENOSPC' })
        assert.ok(t.gntdev().canMap(refs[0]))
        const another = t.gntalloc()
        assert.equal(another.path, device.path, 'ENOSPC does not keep a device from being opened')
        device.deallocate(index, 1)
        assert.equal(device.allocate(0, 1, 0).index, 8 * PAGE)
      },
    },
    {
      name: 'the limit takes negative numbers and refuses what does not fit an int',
      run(t) {
        const before = limit()
        assert.throws(() => setLimit(t, 3_000_000_000), { code: 'ERANGE' })
        assert.equal(limit(), before)
        setLimit(t, -5)
        assert.equal(limit(), -5)
      },
    },
    {
      name: 'no domid is checked, reserved ones neither',
      run(t) {
        const device = t.gntalloc()
        for (const domid of [1, 12345, 0x7ff0, 0x7ff1, 65535]) device.allocate(domid, 1, 1)
      },
    },
    {
      name: 'unknown flags are ignored and come back',
      run(t) {
        assert.deepEqual(
          [0xfffe, 0xffff].map((flags) => alloc(t.gntallocFd().fd, { flags })).map((a) => [a.error, a.flags]),
          [
            [undefined, 0xfffe],
            [undefined, 0xffff],
          ],
        )
      },
    },
    {
      name: 'a bad address is EFAULT, a wrong size in the request ENOTTY',
      run(t) {
        const { fd } = t.gntallocFd()
        assert.equal(ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, 8).error, 'EFAULT')
        assert.equal(alloc(fd, { request: 0x00144705 }).error, 'ENOTTY')
        assert.equal(alloc(fd, { request: 0x0018470f }).error, 'ENOTTY')
        assert.equal(alloc(fd, { count: 0 }).index, 0)
      },
    },
    {
      name: 'EFAULT while the refs are copied out leaves the grants in place',
      run(t) {
        const { fd } = t.gntallocFd()
        // The fixed part ends with the page, the refs beyond it hit a hole.
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
      name: 'writing the limit file with a plain number works as documented',
      run(t) {
        setLimit(t, 4)
        const device = t.gntalloc()
        device.allocate(0, 1, 4)
        assert.throws(() => device.allocate(0, 1, 1), { code: 'ENOSPC' })
        writeFileSync('/sys/module/xen_gntalloc/parameters/limit', '5')
        device.allocate(0, 1, 1)
        assert.equal(device.limits().limit, 5)
      },
    },
  ],
}
