import { describe, expect, it } from 'vitest'
import { SimulatedXen } from 'xen-grants/simulated'
import { bytesAt } from '../../contract/addressed.mjs'
import { open, PAGE, until, WRITABLE, withXen } from '../support.js'

describe('the simulated device', () => {
  it('maps an allocation whose pages are not next to each other', () =>
    withXen({ tableCapacity: 14 }, async (xen) => {
      const device = await open(xen)
      device.allocate(7, WRITABLE, 6)
      for (const page of [0, 2, 5]) device.deallocate(page * PAGE, 1)
      const { index, refs } = device.allocate(8, WRITABLE, 3)
      const address = device.mmap(index, 3)
      const bytes = bytesAt(address, 3 * PAGE)
      const peer = await xen.domain(8).map(refs, { writable: true })
      for (let page = 0; page < 3; page++) bytes.fill(page + 1, page * PAGE, (page + 1) * PAGE)
      expect(Buffer.compare(peer.bytes, bytes)).toBe(0)
      const reversed = await xen.domain(8).map([...refs].reverse())
      expect([0, PAGE, 2 * PAGE].map((at) => reversed.bytes[at])).toEqual([3, 2, 1])
      await peer.unmap()
      await reversed.unmap()
      device.munmap(address, 3 * PAGE)
      device.close()
    }))

  it('unmaps in pieces, and refuses what it has not mapped', () =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      const { index } = device.allocate(7, 0, 4)
      const address = device.mmap(index, 4)
      device.deallocate(index, 4)
      device.munmap(address + PAGE, PAGE)
      const wrong = [
        [address, 2 * PAGE],
        [address + PAGE, PAGE],
        [address + 1, PAGE],
        [address, 100],
        [address + 3 * PAGE, 2 * PAGE],
        [PAGE, PAGE],
      ] as const
      for (const [at, length] of wrong)
        expect(() => device.munmap(at, length), `${at - address} ${length}`).toThrow(
          expect.objectContaining({ code: 'EINVAL', syscall: 'munmap', path: xen.path }),
        )
      expect(await xen.counters()).toMatchObject({ grants: 4, mappings: 1 })
      // Two allocations in one mapping would corrupt the books of the real driver.
      const others = [device.allocate(7, 0, 1), device.allocate(7, 0, 1)]
      expect(() => device.mmap(others[0]!.index, 2)).toThrow(/span two allocations/)
      device.deallocate(others[0]!.index, 2)
      device.munmap(address + 2 * PAGE, 2 * PAGE)
      device.munmap(address, PAGE)
      expect(await xen.counters()).toMatchObject({ grants: 0, mappings: 0 })
      device.close()
    }))

  it('puts zeros in the place of a mapping: stale views write into nothing', () =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      const { index, refs } = device.allocate(7, WRITABLE, 2)
      const address = device.mmap(index, 2)
      const stale = bytesAt(address, 2 * PAGE)
      stale.fill(5)
      const peer = await xen.domain(7).map(refs)
      device.munmap(address, 2 * PAGE)
      expect(stale[0]).toBe(0)
      stale.fill(6)
      expect(peer.bytes[0]).toBe(5)
      expect(() => device.munmap(address, 2 * PAGE)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
      expect(await xen.counters()).toMatchObject({ mappings: 0 })
      await peer.unmap()
      device.close()
    }))

  it('reports limits as they are now', () =>
    withXen({ limit: 10, tableCapacity: 100, freePerIteration: 3 }, async (xen) => {
      const device = await open(xen)
      await xen.setLimit(20)
      expect(device.limits()).toEqual({ limit: 20, tableCapacity: 100, freePerIteration: 3 })
      device.close()
    }))

  it('survives the end of its Xen: calls fail, what is mapped can be unmapped', async () => {
    const xen = await SimulatedXen.create()
    const device = await open(xen)
    const address = device.mmap(device.allocate(7, 0, 1).index, 1)
    await xen.close()
    expect(() => device.allocate(7, 0, 1)).toThrow(
      expect.objectContaining({ code: 'ECONNRESET', message: expect.stringContaining('was closed') }),
    )
    bytesAt(address, PAGE).fill(1)
    device.munmap(address, PAGE)
    device.close()
    await expect(open(xen)).rejects.toMatchObject({ code: 'ENOENT', syscall: 'connect' })
  })

  it('grants, maps and frees 100 000 pages at once', () =>
    withXen({ limit: 100_000, tableCapacity: 100_008 }, async (xen) => {
      const device = await open(xen)
      const { index, refs } = device.allocate(7, WRITABLE, 100_000)
      expect(new Set(refs).size).toBe(100_000)
      const address = device.mmap(index, 100_000)
      const bytes = bytesAt(address, 100_000 * PAGE)
      bytes[99_999 * PAGE] = 77
      const peer = await xen.domain(7).map(refs.subarray(100_000 - 65_536))
      expect(peer.bytes[65_535 * PAGE]).toBe(77)
      await peer.unmap()
      device.munmap(address, 100_000 * PAGE)
      device.deallocate(index, 100_000)
      await until(xen, { grants: 0 })
      device.close()
    }))
})
