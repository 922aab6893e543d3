import { describe, expect, it } from 'vitest'
import { GrantServer } from 'xen-grants'
import { rejection, useXen } from '../setup/xen.js'

const world = useXen()

describe('share', () => {
  it('grants zeroed pages that the peer sees and nobody else can map', async () => {
    await using server = await GrantServer.open({ device: world.xen })
    const grant = await server.share({ domid: 7, pages: 3 })
    expect(grant).toMatchObject({ domid: 7, pages: 3, byteLength: 12288, writable: false })
    expect(new Set(grant.refs).size).toBe(3)
    expect(grant.bytes.every((byte) => byte === 0)).toBe(true)

    grant.bytes.set([1, 2, 3], 4096)
    const mapped = await world.xen.domain(7).map(grant.refs)
    expect([...mapped.bytes.subarray(4096, 4100)]).toEqual([1, 2, 3, 0])
    expect((await rejection(world.xen.domain(8).map(grant.refs))).code).toBe('EINVAL')
    await mapped.unmap()
    await grant.unshare()
  })

  it('lets the peer write only when asked to', async () => {
    await using server = await GrantServer.open({ device: world.xen })
    await using readOnly = await server.share({ domid: 7, pages: 1 })
    await using writable = await server.share({ domid: 7, pages: 1, writable: true })
    const peer = world.xen.domain(7)
    expect((await rejection(peer.map(readOnly.refs, { writable: true }))).code).toBe('EINVAL')
    const mapped = await peer.map(writable.refs, { writable: true })
    mapped.bytes[5] = 99
    expect(writable.bytes[5]).toBe(99)
    await mapped.unmap()
  })

  it('hands out copies of the references', async () => {
    await using server = await GrantServer.open({ device: world.xen })
    await using grant = await server.share({ domid: 7, pages: 2 })
    const refs = grant.refs
    grant.refs.fill(0)
    expect(grant.refs).toEqual(refs)
  })

  it('gives every one of many simultaneous shares its own pages, with few calls of the driver', async () => {
    await using server = await GrantServer.open({ device: world.xen })
    const grants = await Promise.all(
      Array.from({ length: 200 }, (_, i) => server.share({ domid: 1 + (i % 2), pages: 1 + (i % 3) })),
    )
    const refs = grants.flatMap((grant) => [...grant.refs])
    expect(new Set(refs).size).toBe(refs.length)
    for (const [i, grant] of grants.entries()) grant.bytes.fill(i)
    for (const [i, grant] of grants.entries()) {
      expect(grant.pages).toBe(1 + (i % 3))
      expect(grant.bytes.every((byte) => byte === i)).toBe(true)
    }
    const { calls, grants: alive, pages, domains } = await server.stats()
    expect({ alive, pages, domains }).toEqual({ alive: 200, pages: refs.length, domains: { 1: 199, 2: 200 } })
    expect(calls.allocate).toBeLessThanOrEqual(5)
    await Promise.all(grants.map((grant) => grant.unshare()))
    expect((await server.stats()).calls.deallocate).toBeLessThanOrEqual(5)
  })

  it('rejects with the reason of an aborted signal and keeps no pages', async () => {
    await using server = await GrantServer.open({ device: world.xen })
    const reason = new Error('changed my mind')
    expect(await rejection(server.share({ domid: 7, pages: 1, signal: AbortSignal.abort(reason) }))).toBe(
      reason,
    )
    const controller = new AbortController()
    const sharing = server.share({ domid: 7, pages: 1, signal: controller.signal })
    controller.abort(reason)
    expect(await rejection(sharing)).toBe(reason)
  })
})

describe('setUnmapNotify', () => {
  it('is disarmed by an orderly unshare, and fires when asked to', async () => {
    await using server = await GrantServer.open({ device: world.xen, scrub: false })
    for (const fireNotify of [false, true]) {
      const grant = await server.share({ domid: 7, pages: 2 })
      grant.bytes.fill(1)
      await grant.setUnmapNotify({ page: 1, clearByte: 9 })
      const mapped = await world.xen.domain(7).map(grant.refs)
      await grant.unshare({ fireNotify })
      expect(mapped.bytes[4096 + 9]).toBe(fireNotify ? 0 : 1)
      await mapped.unmap()
    }
  })

  it('reports a port that is not bound, and a later disarm succeeds', async () => {
    await using server = await GrantServer.open({ device: world.xen })
    await using grant = await server.share({ domid: 7, pages: 1 })
    const error = await rejection(grant.setUnmapNotify({ port: 77 }))
    expect(error).toMatchObject({ name: 'GrantError', code: 'EINVAL', errno: -22, syscall: 'ioctl' })
    await grant.setUnmapNotify({})
  })
})
