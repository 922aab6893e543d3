import { describe, expect, it } from 'vitest'
import { closeAll, connect } from './channel.js'
import { failing, open, openEvents, withXen } from './support.js'

describe('an event channel', () => {
  it('carries events both ways, one at a time until unmasked', () =>
    withXen({}, async (xen) => {
      const { here, there, port, peerPort } = await connect(xen)
      expect([here.read(), there.read()]).toEqual([[], []])
      for (let times = 0; times < 5; times++) here.notify(port)
      expect(there.read()).toEqual([peerPort])
      here.notify(port)
      here.notify(port)
      expect(there.read(), 'masked').toEqual([])
      there.unmask([peerPort, 77])
      expect(there.read(), 'what came meanwhile is one event').toEqual([peerPort])
      there.unmask([peerPort])
      there.unmask([peerPort])
      expect(there.read()).toEqual([])
      there.notify(peerPort)
      expect(here.read()).toEqual([port])
      closeAll(here, there)
    }))

  it('can be bound by the one domain only, and once', () =>
    withXen({}, async (xen) => {
      const { here, there, port } = await connect(xen)
      const stranger = await openEvents(xen.domain(8))
      expect(() => there.bindInterdomain(0, port), 'taken').toThrow(failing('EINVAL'))
      const other = here.bindUnbound(7)
      expect(() => stranger.bindInterdomain(0, other)).toThrow(failing('EINVAL'))
      expect(() => there.bindInterdomain(0, 500)).toThrow(failing('EINVAL'))
      expect(() => there.bindInterdomain(9, 1)).toThrow(failing('EINVAL'))
      closeAll(here, there, stranger)
    }))

  it('can be notified when the other end has gone, which may come back', () =>
    withXen({}, async (xen) => {
      const { here, there, port, peerPort } = await connect(xen)
      there.unbind(peerPort)
      here.notify(port)
      expect(() => there.notify(peerPort)).toThrow(failing('ENOTCONN'))
      expect(() => there.unbind(peerPort)).toThrow(failing('ENOTCONN'))
      expect(() => there.unbind(2 ** 20)).toThrow(failing('EINVAL'))
      const again = there.bindInterdomain(0, port)
      here.notify(port)
      expect(there.read()).toEqual([again])
      there.close()
      here.notify(port)
      expect(await xen.counters()).toMatchObject({ ports: 1 })
      here.close()
      expect(() => here.notify(port)).toThrow(failing('EBADF'))
    }))

  it('may connect a domain to itself', () =>
    withXen({}, async (xen) => {
      const device = await openEvents(xen)
      const port = device.bindUnbound(0)
      const other = device.bindInterdomain(0, port)
      device.notify(other)
      expect(device.read()).toEqual([other, port])
      device.close()
    }))

  it('carries the notifications of the grant device, also after it was unbound', () =>
    withXen({}, async (xen) => {
      const { here, there, port, peerPort } = await connect(xen)
      const device = await open(xen)
      const { index } = device.allocate(7, 0, 1)
      expect(() => device.setUnmapNotify(index, 2, 99)).toThrow(failing('EINVAL'))
      device.setUnmapNotify(index, 2, port)
      here.unbind(port)
      expect(await xen.counters()).toMatchObject({ ports: 2 })
      device.close()
      expect(there.read()).toEqual([peerPort])
      expect(await xen.counters()).toMatchObject({ ports: 1 })
      closeAll(here, there)
    }))
})

describe('an event channel file', () => {
  it('can be restricted, once', () =>
    withXen({}, async (xen) => {
      const { here, there, port } = await connect(xen)
      const restricted = await openEvents(xen.domain(8))
      const offered = there.bindUnbound(8)
      for (const domid of [0, 0x7ff0]) expect(() => restricted.restrict(domid)).toThrow(failing('EINVAL'))
      restricted.restrict(7)
      expect(() => restricted.restrict(7)).toThrow(failing('EACCES'))
      expect(() => restricted.bindUnbound(7)).toThrow(failing('EACCES'))
      expect(() => restricted.bindVirq(3)).toThrow(failing('EACCES'))
      expect(() => restricted.bindInterdomain(0, port)).toThrow(failing('EACCES'))
      restricted.bindInterdomain(7, offered)
      closeAll(here, there, restricted)
    }))

  it('binds each virtual interrupt once for a domain', () =>
    withXen({}, async (xen) => {
      const device = await openEvents(xen)
      device.bindVirq(3)
      expect(() => device.bindVirq(3)).toThrow(failing('EEXIST'))
      expect(() => device.bindVirq(24)).toThrow(failing('EINVAL'))
      device.close()
    }))

  it('runs out of ports', () =>
    withXen({}, async (xen) => {
      const device = await openEvents(xen)
      for (let port = 1; port <= 1023; port++) expect(device.bindUnbound(7)).toBe(port)
      expect(() => device.bindUnbound(7)).toThrow(failing('ENOSPC'))
      device.unbind(500)
      expect(device.bindUnbound(7)).toBe(500)
      device.close()
    }))

  it('loses what was not read when it is reset after an overflow; its ports stay masked', () =>
    withXen({}, async (xen) => {
      const { here, there, port, peerPort } = await connect(xen)
      here.notify(port)
      await xen.failNext('readEvents', 'EFBIG')
      expect(() => there.read()).toThrow(failing('EFBIG', 'read'))
      there.reset()
      expect(there.read()).toEqual([])
      here.notify(port)
      expect(there.read()).toEqual([])
      there.unmask([peerPort])
      expect(there.read()).toEqual([peerPort])
      closeAll(here, there)
    }))
})
