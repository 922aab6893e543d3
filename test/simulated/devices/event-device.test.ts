import { describe, expect, it } from 'vitest'
import { closeAll, connect } from '../channel.js'
import { failing, open, openEvents, withXen } from '../support.js'

describe('an event channel', () => {
  it('carries events both ways, one at a time until unmasked', () =>
    withXen({}, async (xen) => {
      const { here, there, port, peerPort } = await connect(xen)
      expect([await here.read(), await there.read()]).toEqual([[], []])
      for (let times = 0; times < 5; times++) await here.notify(port)
      expect(await there.read()).toEqual([peerPort])
      await here.notify(port)
      await here.notify(port)
      expect(await there.read(), 'masked').toEqual([])
      there.unmask([peerPort, 77])
      expect(await there.read(), 'what came meanwhile is one event').toEqual([peerPort])
      there.unmask([peerPort])
      there.unmask([peerPort])
      expect(await there.read()).toEqual([])
      await there.notify(peerPort)
      expect(await here.read()).toEqual([port])
      await closeAll(here, there)
    }))

  it('can be bound by the one domain only, and once', () =>
    withXen({}, async (xen) => {
      const { here, there, port } = await connect(xen)
      const stranger = await openEvents(xen.domain(8))
      expect(() => there.device.bindInterdomain(0, port), 'taken').toThrow(failing('EINVAL'))
      const other = here.device.bindUnbound(7)
      expect(() => stranger.device.bindInterdomain(0, other)).toThrow(failing('EINVAL'))
      expect(() => there.device.bindInterdomain(0, 500)).toThrow(failing('EINVAL'))
      expect(() => there.device.bindInterdomain(9, 1)).toThrow(failing('EINVAL'))
      await closeAll(here, there, stranger)
    }))

  it('can be notified when the other end has gone, which may come back', () =>
    withXen({}, async (xen) => {
      const { here, there, port, peerPort } = await connect(xen)
      there.device.unbind(peerPort)
      await here.notify(port)
      await expect(there.notify(peerPort)).rejects.toEqual(failing('ENOTCONN'))
      expect(() => there.device.unbind(peerPort)).toThrow(failing('ENOTCONN'))
      expect(() => there.device.unbind(2 ** 20)).toThrow(failing('EINVAL'))
      const again = there.device.bindInterdomain(0, port)
      await here.notify(port)
      expect(await there.read()).toEqual([again])
      await there.close()
      await here.notify(port)
      expect(await xen.counters()).toMatchObject({ ports: 1 })
      await here.close()
      expect(() => here.device.bindUnbound(7)).toThrow(failing('EBADF'))
    }))

  it('may connect a domain to itself', () =>
    withXen({}, async (xen) => {
      const device = await openEvents(xen)
      const port = device.device.bindUnbound(0)
      const other = device.device.bindInterdomain(0, port)
      await device.notify(other)
      expect(await device.read()).toEqual([other, port])
      await device.close()
    }))

  it('carries the notifications of the grant device, also after it was unbound', () =>
    withXen({}, async (xen) => {
      const { here, there, port, peerPort } = await connect(xen)
      const device = await open(xen)
      const { index } = device.allocate(7, 0, 1)
      expect(() => device.setUnmapNotify(index, 2, 99)).toThrow(failing('EINVAL'))
      device.setUnmapNotify(index, 2, port)
      here.device.unbind(port)
      expect(await xen.counters()).toMatchObject({ ports: 2 })
      await device.close()
      expect(await there.read()).toEqual([peerPort])
      expect(await xen.counters()).toMatchObject({ ports: 1 })
      await closeAll(here, there)
    }))
})

describe('an event channel file', () => {
  it('can be restricted, once', () =>
    withXen({}, async (xen) => {
      const { here, there, port } = await connect(xen)
      const restricted = await openEvents(xen.domain(8))
      const offered = there.device.bindUnbound(8)
      for (const domid of [0, 0x7ff0])
        expect(() => restricted.device.restrict(domid)).toThrow(failing('EINVAL'))
      restricted.device.restrict(7)
      expect(() => restricted.device.restrict(7)).toThrow(failing('EACCES'))
      expect(() => restricted.device.bindUnbound(7)).toThrow(failing('EACCES'))
      expect(() => restricted.device.bindVirq(3)).toThrow(failing('EACCES'))
      expect(() => restricted.device.bindInterdomain(0, port)).toThrow(failing('EACCES'))
      restricted.device.bindInterdomain(7, offered)
      await closeAll(here, there, restricted)
    }))

  it('binds each virtual interrupt once for a domain', () =>
    withXen({}, async (xen) => {
      const device = await openEvents(xen)
      device.device.bindVirq(3)
      expect(() => device.device.bindVirq(3)).toThrow(failing('EEXIST'))
      expect(() => device.device.bindVirq(24)).toThrow(failing('EINVAL'))
      await device.close()
    }))

  it('runs out of ports', () =>
    withXen({}, async (xen) => {
      const device = await openEvents(xen)
      for (let port = 1; port <= 1023; port++) expect(device.device.bindUnbound(7)).toBe(port)
      expect(() => device.device.bindUnbound(7)).toThrow(failing('ENOSPC'))
      device.device.unbind(500)
      expect(device.device.bindUnbound(7)).toBe(500)
      await device.close()
    }))

  it('loses what was not read when it is reset after an overflow; its ports stay masked', () =>
    withXen({}, async (xen) => {
      const { here, there, port, peerPort } = await connect(xen)
      await xen.failNext('evtchn.read', 'EFBIG')
      await here.notify(port)
      await there.until(() => there.failures.at(-1)?.call === 'read')
      expect(there.failures.at(-1)!.error).toEqual(failing('EFBIG', 'read'))
      there.line.reset()
      expect(await there.read()).toEqual([])
      await here.notify(port)
      expect(await there.read()).toEqual([])
      there.unmask([peerPort])
      expect(await there.read()).toEqual([peerPort])
      await closeAll(here, there)
    }))
})
