import assert from 'node:assert/strict'
import { GrantError } from '../../../dist/src/errors.js'
import { MAP, mmap, munmap, PAGE, PROT, peek, poke } from '../guest/raw.mjs'
import { alloc } from '../guest/raw-gntalloc.mjs'

const ENOENT = { name: 'GrantError', code: 'ENOENT', syscall: 'mmap' }

export default {
  name: 'map',
  tests: [
    {
      name: 'a part of an allocation is the same memory as the whole of it',
      run(t) {
        const device = t.gntalloc()
        const { index } = device.allocate(0, 1, 4)
        const whole = device.mmap(index, 4)
        const part = device.mmap(index + 2 * PAGE, 1)
        const again = device.mmap(index, 4)
        poke(whole + 2 * PAGE, [1, 2, 3])
        assert.deepEqual([...peek(part, 3)], [1, 2, 3])
        poke(part + PAGE - 1, [4])
        assert.equal(peek(again + 3 * PAGE - 1)[0], 4)
        device.munmap(whole, 4 * PAGE)
        assert.deepEqual([...peek(part, 3)], [1, 2, 3])
        device.munmap(part, PAGE)
        device.munmap(again, 4 * PAGE)
      },
    },
    {
      name: 'addresses are page-aligned safe integers and writable over their whole length',
      run(t) {
        const device = t.gntalloc()
        const address = device.mmap(device.allocate(0, 1, 300).index, 300)
        assert.ok(Number.isSafeInteger(address) && address > 0 && address % PAGE === 0)
        poke(address, Buffer.alloc(300 * PAGE, 0xa5))
        assert.equal(peek(address + 300 * PAGE - 1)[0], 0xa5)
        device.munmap(address, 300 * PAGE)
      },
    },
    {
      name: 'what is not a run of this file is ENOENT',
      run(t) {
        const [device, other] = [t.gntalloc(), t.gntalloc()]
        const { index } = device.allocate(0, 1, 3)
        other.allocate(0, 1, 1)
        assert.throws(() => device.mmap(index + 3 * PAGE, 1), ENOENT)
        assert.throws(() => device.mmap(index, 4), ENOENT)
        assert.throws(() => other.mmap(PAGE, 1), ENOENT)
        device.deallocate(index + PAGE, 1)
        assert.throws(() => device.mmap(index, 3), ENOENT, 'a hole inside')
        assert.throws(() => device.mmap(index + PAGE, 1), ENOENT)
        device.munmap(device.mmap(index + 2 * PAGE, 1), PAGE)
      },
    },
    {
      name: 'a mapping across two allocations never reaches the driver, which would take it',
      run(t) {
        const device = t.gntalloc()
        device.allocate(0, 1, 2)
        device.allocate(0, 1, 2)
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
      name: 'a length is rounded up to pages, an offset is not',
      run(t) {
        const { fd } = t.gntallocFd()
        alloc(fd, { count: 2 })
        const { address, error } = mmap(fd, 0, 100)
        assert.equal(error, undefined)
        poke(address + PAGE - 1, [1])
        munmap(address, PAGE)
        assert.equal(mmap(fd, 100, PAGE).error, 'EINVAL')
      },
    },
    {
      name: 'a read-only grant binds the peer, not the owner',
      run(t) {
        const device = t.gntalloc()
        const { index, refs } = device.allocate(0, 0, 1)
        const address = device.mmap(index, 1)
        poke(address, [42])
        const peer = t.gntdev()
        assert.throws(() => peer.map(refs), { code: 'EINVAL' })
        const mapped = peer.map(refs, { writable: false })
        assert.equal(peek(mapped.address)[0], 42)
        mapped.unmap()
        device.munmap(address, PAGE)
      },
    },
  ],
}
