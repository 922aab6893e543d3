import { describe, expect, it } from 'vitest'
import { bytesAt } from '../../contract/addressed.mjs'
import { open, PAGE, WRITABLE, withXen } from '../support.js'

describe('a call ordered to fail', () => {
  it('fails once per order, in order, and has no effect', () =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      await xen.failNext('gntalloc.allocate', 'ENOMEM')
      await xen.failNext('gntalloc.allocate', 'EINTR')
      for (const code of ['ENOMEM', 'EINTR'])
        expect(() => device.allocate(7, 0, 1)).toThrow(expect.objectContaining({ code, syscall: 'ioctl' }))
      expect(device.allocate(7, 0, 1).index).toBe(0)
      device.close()
    }))

  it('can be any of the device', () =>
    withXen({}, async (xen) => {
      await xen.failNext('gntalloc.open', 'ENODEV')
      await expect(open(xen)).rejects.toMatchObject({ code: 'ENODEV', syscall: 'open' })
      const device = await open(xen)
      const { index } = device.allocate(7, WRITABLE, 2)
      await xen.failNext('gntalloc.mmap', 'ENOMEM')
      expect(() => device.mmap(index, 2)).toThrow(
        expect.objectContaining({ code: 'ENOMEM', syscall: 'mmap' }),
      )
      const address = device.mmap(index, 2)
      await xen.failNext('gntalloc.setUnmapNotify', 'EFAULT')
      expect(() => device.setUnmapNotify(index, 0, 0)).toThrow(expect.objectContaining({ code: 'EFAULT' }))
      await xen.failNext('gntalloc.deallocate', 'EINVAL')
      expect(() => device.deallocate(index, 2)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
      expect(await xen.counters()).toMatchObject({ grants: 2, mappings: 1 })
      device.munmap(address, 2 * PAGE)
      device.close()
    }))

  it('leaves a mapping in place when it cannot be unmapped, all or a part of it', () =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      const { index, refs } = device.allocate(7, WRITABLE, 3)
      const address = device.mmap(index, 3)
      const bytes = bytesAt(address, 3 * PAGE)
      for (let page = 0; page < 3; page++) bytes.fill(page + 1, page * PAGE, (page + 1) * PAGE)
      const peer = await xen.domain(7).map(refs)
      await xen.failNext('gntalloc.munmap', 'ENOMEM')
      expect(() => device.munmap(address + PAGE, PAGE)).toThrow(
        expect.objectContaining({ code: 'ENOMEM', syscall: 'munmap' }),
      )
      expect([0, PAGE, 2 * PAGE].map((at) => bytes[at])).toEqual([1, 2, 3])
      bytes.fill(8)
      await xen.failNext('gntalloc.munmap', 'ENOMEM')
      expect(() => device.munmap(address, 3 * PAGE)).toThrow(expect.objectContaining({ code: 'ENOMEM' }))
      expect(bytes.every((byte) => byte === 8)).toBe(true)
      bytes[PAGE] = 9
      expect(peer.bytes[PAGE]).toBe(9)
      await peer.unmap()
      device.munmap(address, 3 * PAGE)
      device.close()
    }))

  it('can be one of a peer', () =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      const { refs } = device.allocate(7, 0, 1)
      await xen.failNext('domain.map', 'EAGAIN')
      await expect(xen.domain(7).map(refs)).rejects.toMatchObject({ code: 'EAGAIN' })
      device.close()
    }))

  it('is named correctly', () =>
    withXen({}, async (xen) => {
      const invalid = { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }
      await expect(xen.failNext('gntalloc.alocate' as never, 'ENOMEM')).rejects.toMatchObject(invalid)
      await expect(xen.failNext('gntalloc.allocate', 'ENOSUCH')).rejects.toMatchObject(invalid)
    }))
})
