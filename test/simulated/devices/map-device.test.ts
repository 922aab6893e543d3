import { describe, expect, it } from 'vitest'
import { bytesAt } from '../../contract/addressed.mjs'
import { failing, names, open, openMap, PAGE, WRITABLE, withXen } from '../support.js'

describe('the mapping device', () => {
  it('shares memory with the granter, both ways', () =>
    withXen({}, async (xen) => {
      const device = await open(xen.domain(3))
      const maps = await openMap(xen.domain(7))
      const { index, refs } = device.allocate(7, WRITABLE, 3)
      const own = device.mmap(index, 3)
      const granted = bytesAt(own, 3 * PAGE)
      const map = maps.map(names(refs, 3))
      expect(map).toBe(0)
      const address = maps.mmap(map, 3, true)
      const mapped = bytesAt(address, 3 * PAGE)
      granted[2 * PAGE] = 5
      mapped[PAGE] = 6
      expect([mapped[2 * PAGE], granted[PAGE]]).toEqual([5, 6])
      expect(await xen.counters()).toMatchObject({ maps: 1, foreignMappings: 1, mappings: 1, files: 2 })
      maps.unmap(map, 3)
      expect(await xen.counters(), 'it stays mapped').toMatchObject({ maps: 1, foreignMappings: 1 })
      expect(mapped[2 * PAGE]).toBe(5)
      maps.munmap(address, PAGE)
      maps.munmap(address + PAGE, 2 * PAGE)
      expect(await xen.counters()).toMatchObject({ maps: 0, foreignMappings: 0 })
      expect(maps.limit()).toBe(65536)
      maps.close()
      device.munmap(own, 3 * PAGE)
      device.close()
    }))

  it('keeps what is written to a read-only mapping to itself', () =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      const maps = await openMap(xen.domain(7))
      const { refs } = device.allocate(7, 0, 1)
      const map = maps.map(names(refs))
      const address = maps.mmap(map, 1, false)
      const mapped = bytesAt(address, PAGE)
      mapped[0] = 1
      await using peer = await xen.domain(7).map(refs)
      expect([mapped[0], peer.bytes[0]]).toEqual([1, 0])
      maps.munmap(address, PAGE)
      expect(mapped[0]).toBe(0)
      maps.close()
      device.close()
    }))

  it('refuses what the driver and Xen refuse, and a map that was refused is used up', () =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      const maps = await openMap(xen.domain(7))
      const { refs } = device.allocate(7, 0, 2)
      const foreign = device.allocate(8, WRITABLE, 1).refs
      expect(() => maps.map([])).toThrow(failing('EINVAL'))
      const refused = [names([...refs, ...foreign]), names(refs, 1), names([9999]), names(refs)]
      for (const [i, wanted] of refused.entries()) {
        const index = maps.map(wanted)
        const writable = i === refused.length - 1
        expect(() => maps.mmap(index, wanted.length, writable)).toThrow(failing('EINVAL', 'mmap'))
        expect(() => maps.mmap(index, wanted.length, false)).toThrow(/once only/)
        maps.unmap(index, wanted.length)
      }
      const index = maps.map(names(refs))
      expect(() => maps.mmap(index, 1, false)).toThrow(failing('EINVAL', 'mmap'))
      expect(() => maps.mmap(index + PAGE, 1, false)).toThrow(failing('EINVAL', 'mmap'))
      expect(() => maps.unmap(index, 1)).toThrow(failing('ENOENT'))
      maps.unmap(index, 2)
      expect(() => maps.unmap(index, 2)).toThrow(failing('ENOENT'))
      expect(await xen.counters()).toMatchObject({ maps: 0, foreignMappings: 0 })
      maps.close()
      expect(() => maps.map(names(refs))).toThrow(failing('EBADF'))
      device.close()
    }))

  it('is closed by its last mapping: only then do other maps go', () =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      const maps = await openMap(xen)
      const { refs } = device.allocate(0, WRITABLE, 2)
      const address = maps.mmap(maps.map(names([refs[0]!])), 1, true)
      maps.map(names([refs[1]!]))
      maps.close()
      expect(await xen.counters()).toMatchObject({ maps: 2, foreignMappings: 1, files: 1 })
      device.close()
      expect(await xen.counters()).toMatchObject({ grants: 0, deferred: 1 })
      maps.munmap(address, PAGE)
    }))
})

describe('a mapping call ordered to fail', () => {
  it('fails once and leaves everything as it was', () =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      await xen.failNext('gntdev.open', 'ENOMEM')
      await expect(openMap(xen)).rejects.toMatchObject({ code: 'ENOMEM', syscall: 'open' })
      const maps = await openMap(xen)
      const { refs } = device.allocate(0, WRITABLE, 1)
      await xen.failNext('gntdev.map', 'ENOMEM')
      expect(() => maps.map(names(refs))).toThrow(failing('ENOMEM'))
      const index = maps.map(names(refs))
      await xen.failNext('gntdev.mmap', 'EAGAIN')
      expect(() => maps.mmap(index, 1, true)).toThrow(failing('EAGAIN', 'mmap'))
      const address = maps.mmap(index, 1, true)
      await xen.failNext('gntdev.munmap', 'ENOMEM')
      expect(() => maps.munmap(address, PAGE)).toThrow(failing('ENOMEM', 'munmap'))
      bytesAt(address, PAGE)[0] = 1
      await using peer = await xen.domain(0).map(refs)
      expect(peer.bytes[0]).toBe(1)
      maps.munmap(address, PAGE)
      maps.close()
      device.close()
    }))
})
