import { describe, expect, it } from 'vitest'
import { GrantMapper, GrantServer } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { type AddressedGrants, bytesAt } from '../contract/addressed.mjs'
import {
  CLEAR_BYTE,
  failing,
  makeKernel,
  names,
  open,
  openEvents,
  openMap,
  PAGE,
  SEND_EVENT,
  WRITABLE,
  withXen,
} from './support.js'

describe('every domain', () => {
  it('has a grant table, a limit and indexes of its own', () =>
    withXen({ limit: 4, tableCapacity: 14 }, async (xen) => {
      const domains = [xen, xen.domain(3), xen.domain(5)]
      const devices: AddressedGrants[] = []
      for (const domain of domains) {
        const device = await open(domain)
        devices.push(device)
        const { index, refs } = device.allocate(7, WRITABLE, 4)
        expect([index, ...refs]).toEqual([0, 8, 9, 10, 11])
        expect(() => device.allocate(7, 0, 1)).toThrow(failing('ENOSPC'))
      }
      await xen.domain(3).setLimit(6)
      expect(devices.map((device) => device.limits().limit)).toEqual([4, 6, 4])
      expect([...devices[1]!.allocate(7, 0, 2).refs]).toEqual([12, 13])
      expect(() => devices[2]!.allocate(7, 0, 1)).toThrow(failing('ENOSPC'))
      expect(await xen.counters()).toMatchObject({ grants: 14, tableUsed: 14, files: 3, sessions: 3 })
      expect(await xen.domain(3).counters()).toMatchObject({ grants: 6, pages: 6, files: 1, sessions: 1 })
      for (const device of devices) device.close()
    }))

  it('has memory of its own under the same references', () =>
    withXen({}, async (xen) => {
      const granters = []
      for (const domid of [0, 3, 5]) {
        const device = await open(xen.domain(domid))
        const { index, refs } = device.allocate(7, WRITABLE, 2)
        const address = device.mmap(index, 2)
        bytesAt(address, 2 * PAGE).fill(domid + 1)
        granters.push({ domid, device, refs, address })
      }
      const maps = await openMap(xen.domain(7))
      for (const { domid, refs } of granters) {
        const address = maps.mmap(maps.map(names(refs, domid)), 2, true)
        expect(bytesAt(address, 2 * PAGE).every((byte) => byte === domid + 1)).toBe(true)
        maps.munmap(address, 2 * PAGE)
        await using mapped = await xen.domain(7).map(refs, { granter: domid })
        expect(mapped.bytes[PAGE]).toBe(domid + 1)
      }
      const mixed = granters.map(({ domid, refs }) => ({ domid, ref: refs[1]! }))
      const address = maps.mmap(maps.map(mixed), 3, true)
      expect([0, 1, 2].map((page) => bytesAt(address, 3 * PAGE)[page * PAGE])).toEqual([1, 4, 6])
      maps.munmap(address, 3 * PAGE)
      maps.close()
      for (const { device, address } of granters) {
        device.munmap(address, 2 * PAGE)
        device.close()
      }
    }))

  it('maps what is granted to it and nothing else, itself included', () =>
    withXen({}, async (xen) => {
      const device = await open(xen.domain(3))
      const { refs } = device.allocate(5, WRITABLE, 1)
      for (const domid of [0, 3, 7])
        await expect(xen.domain(domid).map(refs, { granter: 3 })).rejects.toMatchObject({ code: 'EINVAL' })
      await expect(xen.domain(5).map(refs), 'domain 0 has granted nothing').rejects.toMatchObject({
        code: 'EINVAL',
      })
      await (await xen.domain(5).map(refs, { granter: 3 })).unmap()
      device.close()
    }))

  it('copies between grants of any two domains', () =>
    withXen({}, async (xen) => {
      const [three, five] = [await open(xen.domain(3)), await open(xen.domain(5))]
      const from = three.allocate(7, 0, 1)
      const to = five.allocate(7, WRITABLE, 1)
      const source = three.mmap(from.index, 1)
      const target = five.mmap(to.index, 1)
      bytesAt(source, PAGE).fill(3)
      const maps = await openMap(xen.domain(7))
      const side = (domid: number, { refs }: { refs: Uint32Array }, offset: number) => ({
        domid,
        ref: refs[0]!,
        offset,
      })
      const copy = { source: side(3, from, 0), target: side(5, to, 100), length: 50 }
      const back = { source: side(5, to, 0), target: side(3, from, 0), length: 1 }
      expect([...maps.copy([copy, back])], 'back would write what is read-only').toEqual([0, -1])
      const bytes = bytesAt(target, PAGE)
      expect([bytes[99], bytes[100], bytes[149], bytes[150]]).toEqual([0, 3, 3, 0])
      three.munmap(source, PAGE)
      five.munmap(target, PAGE)
      for (const device of [three, five, maps]) device.close()
    }))

  it('looks at its own deferred pages, ten a second', () =>
    withXen({ freeInterval: 1_000_000, limit: 30 }, async (xen) => {
      const unmaps = []
      for (const domid of [3, 5]) {
        const device = await open(xen.domain(domid))
        const { refs } = device.allocate(7, 0, 15)
        unmaps.push(await xen.domain(7).map(refs, { granter: domid }))
        device.close()
      }
      for (const mapped of unmaps) await mapped.unmap()
      expect(await xen.domain(3).counters()).toMatchObject({ deferred: 15, grants: 0 })
      expect([await xen.tick(), await xen.tick(), await xen.tick()]).toEqual([20, 10, 0])
    }))

  it('is told of what it has armed through its own port', () =>
    withXen({}, async (xen) => {
      const ends = []
      for (const domid of [3, 5]) {
        const [device, events, peer] = [
          await open(xen.domain(domid)),
          await openEvents(xen.domain(domid)),
          await openEvents(xen.domain(7)),
        ]
        const port = events.device.bindUnbound(7)
        const peerPort = peer.device.bindInterdomain(domid, port)
        expect(await peer.next()).toEqual([peerPort])
        peer.unmask([peerPort])
        const { index } = device.allocate(7, 0, 1)
        device.setUnmapNotify(index, SEND_EVENT, port)
        ends.push({ device, events, peer, port, peerPort })
      }
      const [three, five] = ends as [(typeof ends)[0], (typeof ends)[0]]
      expect(three.port, 'the numbers are each domain’s').toBe(five.port)
      five.device.close()
      expect(await five.peer.read()).toEqual([five.peerPort])
      expect(await three.peer.read()).toEqual([])
      three.device.close()
      expect(await three.peer.read()).toEqual([three.peerPort])
      for (const { events, peer } of ends) {
        await events.close()
        await peer.close()
      }
    }))

  it('has test ports of its own', () =>
    withXen({}, async (xen) => {
      const [own, other] = [await xen.bindPort(), await xen.domain(3).bindPort()]
      expect(own).toBe(other)
      const device = await open(xen.domain(3))
      device.setUnmapNotify(device.allocate(7, 0, 1).index, SEND_EVENT, other)
      device.close()
      expect([await xen.events(own), await xen.domain(3).events(other)]).toEqual([0, 1])
      await expect(xen.domain(5).events(other)).rejects.toMatchObject({ code: 'EINVAL' })
    }))

  it('has a number of 16 bits', () => {
    const { kernel } = makeKernel()
    const session = kernel.startSession()
    for (const device of [kernel.gntalloc, kernel.gntdev, kernel.evtchn])
      expect(() => device.open(session, 65_536)).toThrow(failing('ESRCH'))
    expect(() => kernel.domain.map(session, 2 ** 40, Uint32Array.of(0, 8), false)).toThrow(failing('ESRCH'))
    expect(() => kernel.domain.map(session, 7, Uint32Array.of(2 ** 31, 8), false)).toThrow(
      failing('EINVAL', 'mmap'),
    )
    expect([...kernel.domains].length, 'nothing is kept of them').toBe(1)
  })

  it('is a device of GrantServer and GrantMapper, also where the Xen was attached', () =>
    withXen({}, async (xen) => {
      await using attached = await SimulatedXen.attach(xen.path)
      await using server = await GrantServer.open({ device: attached.domain(7) })
      await using mapper = await GrantMapper.open({ device: attached })
      await using grant = await server.share({ domid: 0, pages: 2, writable: true })
      expect(await xen.domain(7).counters()).toMatchObject({ files: 1 })
      await using mapped = await mapper.map({ domid: 7, offer: await grant.offer() })
      grant.bytes.fill(9)
      expect(mapped.bytes.every((byte) => byte === 9)).toBe(true)
      expect(grant.peer).toBe('mapped')
      await mapped.unmap()
      expect(await grant.released()).toBe('released')
    }))
})

describe('a domain that is destroyed', () => {
  it('leaves what it had granted to those who map it, until they unmap', () =>
    withXen({}, async (xen) => {
      const device = await open(xen.domain(3))
      const { index, refs } = device.allocate(7, WRITABLE, 3)
      const address = device.mmap(index, 3)
      bytesAt(address, 3 * PAGE).fill(5)
      device.munmap(address, 3 * PAGE)
      const mapped = await xen.domain(7).map(refs.subarray(1), { granter: 3, writable: true })
      await xen.domain(3).destroy()
      await xen.domain(3).destroy()
      expect(() => device.allocate(7, 0, 1)).toThrow(/domain was destroyed/)
      expect(mapped.bytes.every((byte) => byte === 5)).toBe(true)
      await expect(xen.domain(7).map(refs, { granter: 3 })).rejects.toMatchObject({ code: 'EINVAL' })
      // No kernel is left that would look at them once a second: not even a round changes anything.
      await xen.tick()
      expect(await xen.counters()).toMatchObject({ grants: 0, deferred: 2, tableUsed: 2, files: 0 })
      const other = await open(xen)
      const fresh = other.allocate(7, WRITABLE, 100)
      const otherAddress = other.mmap(fresh.index, 100)
      bytesAt(otherAddress, 100 * PAGE).fill(1)
      expect(mapped.bytes.every((byte) => byte === 5)).toBe(true)
      const events = await openEvents(xen)
      const bind = () => events.device.bindInterdomain(3, 1)
      expect(bind, 'Xen still knows it').toThrow(failing('EINVAL'))
      await mapped.unmap()
      expect(bind).toThrow(failing('ESRCH'))
      await events.close()
      expect(await xen.counters()).toMatchObject({ deferred: 0 })
      other.munmap(otherAddress, 100 * PAGE)
      other.close()
      device.close()
    }))

  it('carries out none of its notifications', () =>
    withXen({}, async (xen) => {
      const [device, maps, events] = [
        await open(xen.domain(3)),
        await openMap(xen.domain(3)),
        await openEvents(xen.domain(3)),
      ]
      const [peer, granter] = [await openEvents(xen), await open(xen)]
      const port = events.device.bindUnbound(0)
      const peerPort = peer.device.bindInterdomain(3, port)
      expect(await peer.next()).toEqual([peerPort])
      peer.unmask([peerPort])
      device.setUnmapNotify(device.allocate(0, 0, 1).index, SEND_EVENT, port)
      const { index, refs } = granter.allocate(3, WRITABLE, 1)
      const own = granter.mmap(index, 1)
      bytesAt(own, PAGE).fill(7)
      const map = maps.map(names(refs))
      maps.mmap(map, 1, true)
      maps.setUnmapNotify(map + 4, CLEAR_BYTE | SEND_EVENT, port)
      await xen.domain(3).destroy()
      expect(await peer.read()).toEqual([])
      expect(bytesAt(own, PAGE)[4]).toBe(7)
      expect(await xen.counters()).toMatchObject({ maps: 0, foreignMappings: 0, grants: 1, ports: 1 })
      await peer.notify(peerPort)
      granter.munmap(own, PAGE)
      granter.deallocate(index, 1)
      expect(await xen.counters(), 'it is not deferred').toMatchObject({ grants: 0, deferred: 0 })
      granter.close()
      await peer.close()
    }))

  it('cannot be opened, mapped into, bound to or copied from again', () =>
    withXen({}, async (xen) => {
      const gone = xen.domain(3)
      await gone.destroy()
      const refused = { code: 'ESRCH', errno: -3 }
      await expect(open(gone)).rejects.toMatchObject(refused)
      await expect(openMap(gone)).rejects.toMatchObject(refused)
      await expect(openEvents(gone)).rejects.toMatchObject(refused)
      await expect(gone.map([8])).rejects.toMatchObject(refused)
      await expect(gone.bindPort()).rejects.toMatchObject(refused)
      await expect(gone.setLimit(1)).rejects.toMatchObject(refused)
      const [maps, events, device] = [await openMap(xen), await openEvents(xen), await open(xen)]
      expect(() => events.device.bindInterdomain(3, 1)).toThrow(failing('ESRCH'))
      const target = { buffer: new SharedArrayBuffer(1), offset: 0 }
      expect([...maps.copy([{ source: { domid: 3, ref: 8, offset: 0 }, target, length: 1 }])]).toEqual([-2])
      expect([device.domainExists(3), device.domainExists(5)]).toEqual([false, true])
      maps.close()
      device.close()
      await events.close()
    }))

  it('cannot be domain 0', () =>
    withXen({}, async (xen) => {
      await expect(xen.domain(0).destroy()).rejects.toMatchObject({ code: 'EINVAL', domid: 0 })
      ;(await open(xen)).close()
    }))

  it('has pages that nobody gets while its processes can still write there', () =>
    withXen({}, async (xen) => {
      const device = await open(xen.domain(3))
      const { index } = device.allocate(0, WRITABLE, 2)
      const left = bytesAt(device.mmap(index, 2), 2 * PAGE)
      await xen.domain(3).destroy()
      expect(await xen.counters()).toMatchObject({ grants: 0, files: 0, mappings: 0, sessions: 0 })
      const other = await open(xen)
      const fresh = other.allocate(0, WRITABLE, 100)
      const address = other.mmap(fresh.index, 100)
      left.fill(0xee)
      expect(bytesAt(address, 100 * PAGE).every((byte) => byte === 0)).toBe(true)
      other.munmap(address, 100 * PAGE)
      other.close()
    }))
})
