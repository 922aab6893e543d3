// The owner of the mapping device, over a device of this test's.
import { describe, expect, it } from 'vitest'
import { createPageBuffer } from '../../../dist/src/drivers/page-buffer.js'
import type { MapRequest } from '../../../dist/src/mapping/map-message.js'
import { MapActor } from '../../../dist/src/mapping/worker/map-actor.js'
import { MAP_ANONYMOUS, MAP_PRIVATE, mmap, munmap, PROT_READ } from '../../../dist/src/native/libc.js'
import { FakeMapDevice } from '../../setup/fake-map-device.js'

const PAGE = 4096

function setUp() {
  const device = new FakeMapDevice()
  return { device, actor: new MapActor(device) }
}

const request = (refs: number[], rest: Partial<MapRequest> = {}): MapRequest => ({
  names: Uint32Array.from(refs.flatMap((ref) => [3, ref])),
  writable: false,
  notify: undefined,
  status: undefined,
  ...rest,
})
const status = { domid: 3, ref: 90, offset: 10, port: 0 }

describe('a mapping with a status page', () => {
  it('maps the status first, above the data, and arms it before it says that it has mapped', () => {
    const { device, actor } = setUp()
    const set = device.setUnmapNotify.bind(device)
    let before: number[] = []
    device.setUnmapNotify = (...args) => {
      set(...args)
      before = [...pages.values()]
    }
    const pages = new Map<number, number>()
    const mmap = device.mmap.bind(device)
    device.mmap = (index, count, writable, over) => {
      mmap(index, count, writable, over)
      pages.set(over.address, new Uint8Array(over.buffer)[10]!)
    }
    const [, buffer, page] = actor.map(request([8, 9], { status: { ...status, port: 5 } }))
    expect(device.taken()).toEqual(['map 90', 'mmap 0 1 w', 'map 8,9', 'mmap 1 2 r', 'setUnmapNotify 10 3 5'])
    expect(before).toEqual([0, 0])
    expect([...new Uint8Array(page!).subarray(9, 13)]).toEqual([0, 1, 1, 0])
    const [statusAt, dataAt] = [...pages.keys()]
    expect([statusAt! > dataAt!, buffer.byteLength]).toEqual([true, 2 * PAGE])
  })

  it('has the status above the data also where there is room above it by then', () => {
    const { device, actor } = setUp()
    const room = { length: 64 * PAGE, prot: PROT_READ, flags: MAP_PRIVATE | MAP_ANONYMOUS, what: 'room' }
    const above = mmap(room)
    // Holes in which the status page would lie above that.
    const holes = [createPageBuffer(1)]
    while (holes.at(-1)!.address > above) holes.push(createPageBuffer(1))
    const addresses: number[] = []
    const map = device.mmap.bind(device)
    device.mmap = (index, count, writable, over) => {
      map(index, count, writable, over)
      addresses.push(over.address)
      // Linux puts new memory as high as there is room.
      if (addresses.length === 1) munmap(above, room.length)
    }
    actor.map(request([8, 9], { status }))
    expect(above).toBeGreaterThan(addresses[0]!)
    expect(addresses[1]).toBeLessThan(addresses[0]!)
  })

  it('without a port asks for no event', () => {
    const { device, actor } = setUp()
    actor.map(request([8], { status }))
    expect(device.taken().at(-1)).toBe('setUnmapNotify 10 1 0')
  })

  it('is unmapped data first: as long as that fails the granter is told nothing', () => {
    const { device, actor } = setUp()
    const [id] = actor.map(request([8], { status }))
    device.taken()
    for (const call of ['munmap', 'unmap'] as const) {
      device.failNext(call, 'EINVAL')
      expect(() => actor.unmap(id)).toThrow('EINVAL')
      expect(device.maps.has(0), 'the status page is mapped').toBe(true)
    }
    device.taken()
    actor.unmap(id)
    expect(device.taken()).toEqual(['unmap 1 1', 'munmap 1', 'unmap 0 1'])
    expect(() => actor.unmap(id)).toThrow(/unmapped/)
  })

  it('goes whole when a part of it fails, whichever that is', () => {
    for (const fail of [
      (device: FakeMapDevice) => device.failNext('map', 'ENOMEM'),
      (device: FakeMapDevice) => device.bad.add(90),
      (device: FakeMapDevice) => device.bad.add(8),
      (device: FakeMapDevice) => device.failNext('setUnmapNotify', 'EINVAL'),
    ]) {
      const { device, actor } = setUp()
      fail(device)
      expect(() => actor.map(request([8], { status, notify: { offset: 1, action: 1, port: 0 } }))).toThrow()
      expect([device.maps.size, device.mapped.size]).toEqual([0, 0])
    }
  })
})

describe('the limit of the driver', () => {
  it('may be used up by one mapping; a larger one is made of several', () => {
    const { device, actor } = setUp()
    device.max = 2
    actor.map(request([8, 9]))
    const maps = (): string[] => device.taken().filter((call) => call.startsWith('map '))
    expect(maps()).toEqual(['map 8,9'])
    actor.map(request([8, 9, 10]))
    // The first is refused.
    expect(maps()).toEqual(['map 8,9,10', 'map 8,9', 'map 10'])
  })
})

describe('what cannot be unmapped', () => {
  it('and no caller has is tried again with the next mapping', () => {
    const { device, actor } = setUp()
    for (const call of ['munmap', 'unmap'] as const) {
      device.failNext('setUnmapNotify', 'EINVAL')
      device.failNext(call, 'EFAULT')
      expect(() => actor.map(request([8], { notify: { offset: 0, action: 1, port: 0 } }))).toThrow('EINVAL')
      expect(device.maps.size).toBe(1)
      const [id] = actor.map(request([9]))
      expect(device.maps.size).toBe(1)
      actor.unmap(id)
      expect([device.maps.size, device.mapped.size]).toEqual([0, 0])
    }
  })

  it('at the end is tried twice, and keeps neither the others nor the device open', () => {
    const { device, actor } = setUp()
    for (const ref of [8, 9, 10]) actor.map(request([ref]))
    device.failNext('munmap', 'EFAULT')
    actor.close()
    expect([device.maps.size, device.mapped.size, device.closed]).toEqual([0, 0, true])
    const other = setUp()
    for (const ref of [8, 9]) other.actor.map(request([ref]))
    for (let i = 0; i < 3; i++) other.device.failNext('munmap', 'EFAULT')
    other.actor.close()
    expect([other.device.mapped.size, other.device.closed]).toEqual([1, true])
  })
})

describe('a notification', () => {
  it('is set where it was asked for, in the data and not in the status', () => {
    const { device, actor } = setUp()
    const [id] = actor.map(request([8, 9], { status, notify: { offset: PAGE + 3, action: 3, port: 4 } }))
    actor.setUnmapNotify(id, { offset: 7, action: 1, port: 0 })
    const set = device.taken().filter((call) => call.startsWith('setUnmapNotify'))
    expect(set).toEqual([
      `setUnmapNotify ${2 * PAGE + 3} 3 4`,
      'setUnmapNotify 10 1 0',
      `setUnmapNotify ${PAGE + 7} 1 0`,
    ])
    actor.unmap(id)
    expect(() => actor.setUnmapNotify(id, { offset: 7, action: 1, port: 0 })).toThrow(
      expect.objectContaining({ code: 'ERR_GRANTS_UNSHARED' }),
    )
  })
})
