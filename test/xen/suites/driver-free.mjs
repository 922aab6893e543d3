import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { IOCTL_GNTALLOC_DEALLOC_GREF } from '../../../dist/src/abi.js'
import { limit } from '../guest/module.mjs'
import { ioctl, PAGE, peek, poke } from '../guest/raw.mjs'
import { dealloc } from '../guest/raw-gntalloc.mjs'

const EINVAL = { name: 'GrantError', code: 'EINVAL', errno: -22, syscall: 'ioctl' }

function mappable(t, refs) {
  const peer = t.gntdev()
  return [...refs].map((ref) => peer.canMap(ref))
}

export default {
  name: 'free',
  tests: [
    {
      name: 'any part of an allocation can be freed, and only once',
      run(t) {
        const device = t.gntalloc()
        const { index, refs } = device.allocate(0, 1, 6)
        device.deallocate(index + 2 * PAGE, 2)
        assert.deepEqual(mappable(t, refs), [true, true, false, false, true, true])
        assert.throws(() => device.deallocate(index + 2 * PAGE, 1), EINVAL)
        assert.throws(() => device.deallocate(index, 6), EINVAL, 'there is a hole inside')
        assert.throws(() => device.deallocate(index, 3), EINVAL)
        device.deallocate(index, 2)
        device.deallocate(index + 4 * PAGE, 2)
      },
    },
    {
      name: 'adjacent allocations can be freed by one call',
      run(t) {
        const device = t.gntalloc()
        const refs = [2, 3, 4].flatMap((count) => [...device.allocate(0, 1, count).refs])
        device.deallocate(PAGE, 7)
        assert.deepEqual(mappable(t, refs), [true, ...Array(7).fill(false), true])
        assert.throws(() => device.mmap(PAGE, 1), { code: 'ENOENT' })
        device.munmap(device.mmap(0, 1), PAGE)
      },
    },
    {
      name: 'unknown, unaligned, foreign and empty ranges are EINVAL, a bad address EFAULT',
      run(t) {
        const [device, other] = [t.gntalloc(), t.gntalloc()]
        const { index } = device.allocate(0, 1, 2)
        for (const [at, count] of [
          [index + 2 * PAGE, 1],
          [index + 1, 1],
          [index, 0],
          [index, 3],
          [2 ** 40, 1],
        ]) {
          assert.throws(() => device.deallocate(at, count), { ...EINVAL, pages: count })
        }
        assert.throws(() => other.deallocate(index, 2), EINVAL)
        assert.equal(ioctl(t.gntallocFd().fd, IOCTL_GNTALLOC_DEALLOC_GREF, 8).error, 'EFAULT')
        assert.equal(dealloc(t.gntallocFd().fd, 0, 1).error, 'EINVAL')
      },
    },
    {
      name: 'a page mapped here stays granted and usable until it is unmapped',
      run(t) {
        const device = t.gntalloc()
        const { index, refs } = device.allocate(0, 1, 1)
        const address = device.mmap(index, 1)
        device.deallocate(index, 1)
        assert.deepEqual(mappable(t, refs), [true])
        poke(address, [1, 2, 3])
        assert.deepEqual([...peek(address, 3)], [1, 2, 3])
        assert.throws(() => device.mmap(index, 1), { code: 'ENOENT' })
        assert.throws(() => device.setUnmapNotify(index, 1, 0), { code: 'ENOENT' })
        assert.throws(() => device.deallocate(index, 1), EINVAL)
        device.munmap(address, PAGE)
        assert.deepEqual(mappable(t, refs), [false])
      },
    },
    {
      name: 'a freed page that is still mapped counts against the limit',
      run(t) {
        const device = t.gntalloc()
        const { index } = device.allocate(0, 1, limit())
        const address = device.mmap(index, 10)
        device.deallocate(index, limit())
        assert.throws(() => device.allocate(0, 1, limit() - 9), { code: 'ENOSPC' })
        device.munmap(address, 10 * PAGE)
        device.allocate(0, 1, limit())
      },
    },
    {
      name: 'unmapping a part releases nothing, the last part releases all',
      run(t) {
        const device = t.gntalloc()
        const { index, refs } = device.allocate(0, 1, 4)
        const address = device.mmap(index, 4)
        device.deallocate(index, 4)
        device.munmap(address + PAGE, PAGE)
        device.munmap(address + 2 * PAGE, 2 * PAGE)
        assert.deepEqual(mappable(t, refs), [true, true, true, true])
        device.munmap(address, PAGE)
        assert.deepEqual(mappable(t, refs), [false, false, false, false])
      },
    },
    {
      name: 'closing frees what is not mapped; a mapping outlives the file',
      run(t) {
        const device = t.gntalloc()
        const { index, refs } = device.allocate(0, 1, 3)
        const address = device.mmap(index + PAGE, 1)
        device.munmap(device.mmap(index, 1), PAGE)
        device.close()
        // The file itself lives as long as its mapping, and with it all its grants.
        assert.deepEqual(mappable(t, refs), [true, true, true])
        poke(address, [9])
        assert.equal(peek(address)[0], 9)
        device.munmap(address, PAGE)
        assert.deepEqual(mappable(t, refs), [false, false, false])
      },
    },
    {
      name: 'zero pages in place of a mapping let the grant go and keep the address readable',
      run(t) {
        const device = t.gntalloc()
        const { index, refs } = device.allocate(0, 1, 2)
        const address = device.mmap(index, 2)
        poke(address, Buffer.alloc(2 * PAGE, 0x55))
        device.replaceMapping(address, 2 * PAGE)
        assert.ok(peek(address, 2 * PAGE).equals(Buffer.alloc(2 * PAGE)))
        assert.deepEqual(mappable(t, refs), [true, true])
        device.deallocate(index, 2)
        assert.deepEqual(mappable(t, refs), [false, false])
        poke(address, [7])
        assert.equal(peek(address)[0], 7)
        device.munmap(address, 2 * PAGE)
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
