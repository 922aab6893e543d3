import { describe, expect, it } from 'vitest'
import { bytesAt } from '../../contract/addressed.mjs'
import {
  CLEAR_BYTE,
  failing,
  kill,
  names,
  open,
  openEvents,
  openMap,
  PAGE,
  SEND_EVENT,
  start,
  until,
  WRITABLE,
  withXen,
} from '../support.js'

describe('the notification of a map', () => {
  it('clears a byte of the granter and fires, once, when the map is forgotten and its memory unmapped', () =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      const [events, peerEvents] = [await openEvents(xen), await openEvents(xen.domain(7))]
      const maps = await openMap(xen.domain(7))
      const { index: own, refs } = device.allocate(7, WRITABLE, 2)
      const ownAddress = device.mmap(own, 2)
      const granted = bytesAt(ownAddress, 2 * PAGE).fill(0xaa)
      const port = events.device.bindUnbound(7)
      const peerPort = peerEvents.device.bindInterdomain(0, port)
      for (const munmapFirst of [true, false]) {
        const index = maps.map(names(refs))
        const address = maps.mmap(index, 2, true)
        maps.setUnmapNotify(index, CLEAR_BYTE, 0)
        maps.setUnmapNotify(index + PAGE + 7, CLEAR_BYTE | SEND_EVENT, peerPort)
        const steps = [() => maps.munmap(address, 2 * PAGE), () => maps.unmap(index, 2)]
        if (!munmapFirst) steps.reverse()
        steps[0]!()
        expect(granted[PAGE + 7]).toBe(0xaa)
        expect(await events.read()).toEqual([])
        steps[1]!()
        expect([granted[0], granted[PAGE + 7]]).toEqual([0xaa, 0])
        expect(await events.read()).toEqual([port])
        events.unmask([port])
        granted[PAGE + 7] = 0xaa
      }
      device.munmap(ownAddress, 2 * PAGE)
      for (const opened of [device, maps, events, peerEvents]) await opened.close()
    }))

  it('is checked in the order of the driver', () =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      const [maps, events] = [await openMap(xen.domain(7)), await openEvents(xen.domain(7))]
      const { refs } = device.allocate(7, WRITABLE, 1)
      const port = events.device.bindUnbound(0)
      expect(() => maps.setUnmapNotify(0, 4, 99)).toThrow(/unknown action/)
      expect(() => maps.setUnmapNotify(0, SEND_EVENT, 99)).toThrow(/not bound/)
      expect(() => maps.setUnmapNotify(0, SEND_EVENT, port)).toThrow(failing('ENOENT'))
      const index = maps.map(names(refs))
      maps.setUnmapNotify(index, CLEAR_BYTE, 0)
      expect(() => maps.mmap(index, 1, false)).toThrow(failing('EINVAL', 'mmap'))
      maps.setUnmapNotify(index, 0, 0)
      const address = maps.mmap(index, 1, false)
      expect(() => maps.setUnmapNotify(index, CLEAR_BYTE, 0)).toThrow(/read-only/)
      maps.setUnmapNotify(index, SEND_EVENT, port)
      await events.close()
      expect(await xen.counters(), 'the notification keeps its port').toMatchObject({ ports: 1 })
      maps.munmap(address, PAGE)
      maps.close()
      expect(await xen.counters()).toMatchObject({ ports: 0 })
      device.close()
    }))

  it('fires when the process is killed', () =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      const events = await openEvents(xen)
      const { index, refs } = device.allocate(7, WRITABLE, 2)
      const address = device.mmap(index, 2)
      const granted = bytesAt(address, 2 * PAGE).fill(0xaa)
      const port = events.device.bindUnbound(7)
      const { child } = await start('mapper.mjs', xen.path, String(port), ...[...refs].map(String))
      expect(await xen.counters()).toMatchObject({ maps: 1, foreignMappings: 1, ports: 2 })
      const fired = events.next()
      await kill(child)
      expect(await fired).toEqual([port])
      expect([...granted.subarray(4, 7)]).toEqual([0xaa, 0, 0xaa])
      await until(xen, { maps: 0, foreignMappings: 0, ports: 1, sessions: 3 })
      await events.notify(port)
      device.munmap(address, 2 * PAGE)
      device.close()
      await events.close()
    }))
})
