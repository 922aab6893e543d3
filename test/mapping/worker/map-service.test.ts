// What the client of a mapping worker may call, over a device of this test's.
import { describe, expect, it } from 'vitest'
import type { MapAnswer } from '../../../dist/src/mapping/map-messages.js'
import { MapActor } from '../../../dist/src/mapping/worker/map-actor.js'
import { mapService } from '../../../dist/src/mapping/worker/map-service.js'
import { FakeMapDevice } from '../../setup/fake-map-device.js'

const PAGE = 4096

function setUp() {
  const device = new FakeMapDevice()
  const { methods, together } = mapService(new MapActor(device))
  const call = (name: string, ...args: unknown[]): unknown =>
    (methods as Record<string, (...args: unknown[]) => unknown>)[name]!(...args)
  const map = (...refs: number[]): number =>
    (call('map', 0, ...refs.flatMap((ref) => [3, ref])) as MapAnswer)[0]
  const unmapAll = (ids: unknown[]) => together!.unmap!(ids.map((id) => [id]))
  return { device, call, map, unmapAll }
}

describe('the mapping worker', () => {
  it.each([0, -1, 1.5, Number.NaN, '1', undefined, 2 ** 53])('has no mapping of number %s', (id) => {
    const { call, map, unmapAll, device } = setUp()
    map(8)
    const refused = expect.objectContaining({ code: 'ERR_GRANTS_PROTOCOL' })
    expect(() => call('unmap', id)).toThrow(refused)
    expect(() => call('setUnmapNotify', id, 0, 1, 0)).toThrow(refused)
    expect(unmapAll([id, id])).toMatchObject(
      Array.from({ length: 2 }, () => ({ error: { fields: { code: 'ERR_GRANTS_PROTOCOL' } } })),
    )
    expect(device.mapped.size).toBe(1)
  })

  it.each([
    [PAGE, 1, 0],
    [-1, 1, 0],
    [Number.NaN, 1, 0],
    [0, 4, 0],
    [0, -1, 0],
    [0, 1, 2 ** 32],
    [0, 1, undefined],
  ])('refuses a notification at %s, action %s, port %s', (offset, action, port) => {
    const { call, map, device } = setUp()
    const id = map(8)
    device.taken()
    expect(() => call('setUnmapNotify', id, offset, action, port)).toThrow(
      expect.objectContaining({ code: 'ERR_GRANTS_PROTOCOL' }),
    )
    expect(device.taken()).toEqual([])
  })

  it('unmaps what lies side by side in one call, and forgets each map', () => {
    const { map, unmapAll, device } = setUp()
    // Memory that is made one after the other mostly lies so, but not all of it.
    const ids = Array.from({ length: 32 }, (_, i) => map(8 + i))
    device.taken()
    expect(unmapAll(ids)).toEqual(ids.map(() => ({ value: undefined })))
    const calls = device.taken()
    expect(calls.filter((call) => call.startsWith('munmap')).length).toBeLessThan(16)
    expect(calls.filter((call) => call.startsWith('unmap'))).toHaveLength(32)
    expect([device.maps.size, device.mapped.size]).toEqual([0, 0])
  })

  it('tries each alone when that fails, and only what fails alone has failed', () => {
    const { map, unmapAll, device } = setUp()
    const ids = Array.from({ length: 4 }, (_, i) => map(8 + i))
    const munmap = device.munmap.bind(device)
    const stuck = [...device.mapped.keys()][1]!
    device.munmap = (address, length) => {
      if (address <= stuck && stuck < address + length) throw new Error('stuck')
      munmap(address, length)
    }
    const failed = unmapAll(ids).map((outcome) => 'error' in outcome)
    expect(failed).toEqual([false, true, false, false])
    device.munmap = munmap
    expect(unmapAll([ids[1], ids[0]]).map((outcome) => 'error' in outcome)).toEqual([false, true])
    expect([device.maps.size, device.mapped.size]).toEqual([0, 0])
  })

  it('unmaps one that is named twice once, and says so', () => {
    const { map, unmapAll, device } = setUp()
    const id = map(8)
    expect(unmapAll([id, id])).toMatchObject([
      { value: undefined },
      { error: { fields: { code: 'ERR_GRANTS_UNSHARED' } } },
    ])
    expect(device.mapped.size).toBe(0)
  })
})
