import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { SimulatedXen } from 'xen-grants/simulated'
import { bytesAt } from '../contract/addressed.mjs'
import { kill, open, PAGE, start, until, WRITABLE, withXen } from './support.js'

describe('a domain that maps grants', () => {
  it('sees what the granter writes; a stray write to a read-only mapping goes nowhere', () =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      const { index, refs } = device.allocate(7, 0, 2)
      const address = device.mmap(index, 2)
      const granter = bytesAt(address, 2 * PAGE)
      const peer = await xen.domain(7).map(refs)
      expect(peer.bytes.length).toBe(2 * PAGE)
      granter[0] = 1
      expect(peer.bytes[0]).toBe(1)
      peer.bytes[0] = 2
      granter[PAGE] = 3
      expect([granter[0], peer.bytes[0], peer.bytes[PAGE]]).toEqual([1, 2, 3])
      await peer.unmap()
      device.munmap(address, 2 * PAGE)
      device.close()
    }))

  it('leaves views behind that read zeros, and may unmap again', () =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      const { refs } = device.allocate(7, WRITABLE, 1)
      const peer = await xen.domain(7).map(refs, { writable: true })
      const part = peer.bytes.subarray(10, 20).fill(5)
      const unmapped = peer.unmap()
      expect(peer.bytes.length).toBe(0)
      await unmapped
      expect([...part]).toEqual(Array(10).fill(0))
      await peer.unmap()
      await peer[Symbol.asyncDispose]()
      expect(await xen.counters()).toMatchObject({ foreignMappings: 0 })
      device.close()
    }))

  it('is refused what Xen refuses', () =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      const { refs } = device.allocate(7, 0, 1)
      const refused = { name: 'GrantError', code: 'EINVAL', errno: -22, syscall: 'mmap' }
      await expect(xen.domain(8).map(refs)).rejects.toMatchObject({ ...refused, domid: 8, pages: 1 })
      await expect(xen.domain(7).map(refs, { writable: true })).rejects.toMatchObject(refused)
      await expect(xen.domain(7).map([0])).rejects.toMatchObject(refused)
      await expect(xen.domain(7).map([])).rejects.toMatchObject({ code: 'EINVAL', syscall: 'ioctl' })
      await using mapped = await xen.domain(7).map(refs)
      device.close()
      await using again = await xen.domain(7).map(refs)
      expect([mapped.bytes.length, again.bytes.length]).toEqual([PAGE, PAGE])
      expect(await xen.counters()).toMatchObject({ deferred: 1, foreignMappings: 2 })
    }))

  it('checks its arguments', () =>
    withXen({}, async (xen) => {
      const type = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
      const range = expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
      expect(() => xen.domain(65536)).toThrow(range)
      expect(() => xen.domain('7' as never)).toThrow(type)
      await expect(xen.domain(7).map(8 as never)).rejects.toEqual(type)
      await expect(xen.domain(7).map([-1])).rejects.toEqual(range)
      await expect(xen.domain(7).map([8], { writable: 1 as never })).rejects.toEqual(type)
      await expect(xen.domain(7).map([8], { writeable: true } as never)).rejects.toThrow(
        "Did you mean 'writable'?",
      )
    }))

  it('may live in another process', () =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      const { index, refs } = device.allocate(7, WRITABLE, 2)
      const address = device.mmap(index, 2)
      const granter = bytesAt(address, 2 * PAGE)
      granter[0] = 10
      const { child, message } = await start('peer.mjs', xen.path, ...[...refs].map(String))
      expect(message).toBe(2 * PAGE)
      expect(granter[1]).toBe(11)
      expect(await xen.counters()).toMatchObject({ foreignMappings: 1, sessions: 2 })
      const exited = once(child, 'exit')
      child.send('unmap')
      expect(await once(child, 'message')).toEqual([0, undefined])
      expect(await exited).toEqual([0, null])
      device.munmap(address, 2 * PAGE)
      device.close()
    }))

  it('loses its mappings when its process is killed', () =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      const { index, refs } = device.allocate(7, WRITABLE, 2)
      const { child } = await start('peer.mjs', xen.path, ...[...refs].map(String))
      device.deallocate(index, 2)
      expect(await xen.counters()).toMatchObject({ grants: 0, deferred: 2, foreignMappings: 1 })
      await kill(child)
      await until(xen, { foreignMappings: 0, deferred: 0, tableUsed: 0 })
      device.close()
    }))
})

describe('an attached Xen', () => {
  it('unmaps and disconnects at its close, and leaves the Xen alone', () =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      const { refs } = device.allocate(7, 0, 1)
      const attached = await SimulatedXen.attach(xen.path)
      const mapped = await attached.domain(7).map(refs)
      await attached.close()
      expect(mapped.bytes.length).toBe(0)
      await mapped.unmap()
      await expect(attached.counters()).rejects.toMatchObject({ code: 'ERR_GRANTS_CLOSED' })
      await until(xen, { foreignMappings: 0, sessions: 1 })
      device.close()
    }))

  it('fails what is under way when the Xen ends', async () => {
    const xen = await SimulatedXen.create()
    const attached = await SimulatedXen.attach(xen.path)
    await xen.close()
    await expect(attached.counters()).rejects.toMatchObject({ code: 'ECONNRESET' })
    await attached.close()
    await expect(SimulatedXen.attach(xen.path)).rejects.toMatchObject({
      code: 'ENOENT',
      path: xen.path,
      message: expect.stringContaining('is the process that created it still running?'),
    })
  })
})
