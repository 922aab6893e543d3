import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EventChannels, type Grant, GrantMapper, GrantServer, type MappedGrant } from 'xen-grants'
import { peerState } from '../../../src/pages/peer-status.js'
import { finished, node } from '../../setup/process.js'
import { rejection, useXen } from '../../setup/xen.js'

const world = useXen()
let server: GrantServer
let mapper: GrantMapper
let grant: Grant

beforeEach(async () => {
  server = await GrantServer.open({ device: world.xen })
  mapper = await GrantMapper.open({ device: world.xen.domain(7) })
  grant = await server.share({ domid: 7, pages: 3 })
})
afterEach(async () => {
  await mapper.close()
  await server.close()
})

const map = async (): Promise<MappedGrant> => mapper.map({ domid: 0, offer: await grant.offer() })

describe('what the peer says', () => {
  it.each([
    [0, 0, 'never mapped'],
    [1, 0, 'mapped'],
    [1, 1, 'mapped'],
    [0, 1, 'released'],
    [2, 1, 'unknown'],
    [0, 255, 'unknown'],
    [1, 7, 'unknown'],
    [undefined, undefined, 'unknown'],
  ] as const)('live %s, seen %s: %s', (live, seen, state) => {
    expect(peerState(live, seen)).toBe(state)
  })
})

describe('a grant that was offered', () => {
  it('knows when its peer maps it and lets go, and its pages are free at once', async () => {
    expect(grant.peer).toBe('unknown')
    await grant.offer()
    expect(grant.peer).toBe('never mapped')
    const mapped = await map()
    expect(grant.peer).toBe('mapped')
    const released = grant.released()
    await mapped.unmap()
    expect(await released).toBe('released')
    await grant.unshare()
    expect((await world.xen.counters()).deferred).toBe(0)
  })

  it('survives JSON on the way to the peer', async () => {
    const offer = JSON.parse(JSON.stringify(await grant.offer()))
    await using mapped = await mapper.map({ domid: 0, offer })
    expect(mapped.refs).toEqual(grant.refs)
    expect(grant.peer).toBe('mapped')
  })

  it('costs one page per domain, which goes with the last grant', async () => {
    const others = await Promise.all([1, 2, 3].map(() => server.share({ domid: 7, pages: 1 })))
    await Promise.all([grant, ...others].map((one) => one.offer()))
    expect((await server.stats()).pages).toBe(3 + 3 + 1)
    for (const one of [grant, ...others]) await one.unshare()
    expect(await server.stats()).toMatchObject({ grants: 0, pages: 0 })
  })

  it('leaves nothing behind when it is unshared while it is being offered', async () => {
    const offering = rejection(grant.offer())
    await grant.unshare()
    expect((await offering).code).toBe('ERR_GRANTS_UNSHARED')
    expect(await server.stats()).toMatchObject({ grants: 0, pages: 0 })
  })

  it('is taken back when the peer has let go', async () => {
    const mapped = await map()
    const unsharing = grant.unshare({ whenReleased: true })
    await mapped.unmap()
    await unsharing
    expect((await world.xen.counters()).deferred).toBe(0)
  })

  it('is taken back after the timeout all the same, and counted until the peer lets go', async () => {
    const mapped = await map()
    await grant.unshare({ whenReleased: true, timeout: 5 })
    expect(mapped.bytes.length).toBe(3 * 4096)
    const { deferred } = await server.stats()
    expect(deferred).toMatchObject({ pages: 3, draining: 0, perSecond: 0 })
    expect(deferred.oldest).toBeGreaterThan(0)
    await mapped.unmap()
    expect((await server.stats()).deferred).toMatchObject({ pages: 3, draining: 3 })
  })

  it('stops waiting when aborted, and is still shared', async () => {
    await map()
    const controller = new AbortController()
    const reason = new Error('enough')
    const waiting = [
      rejection(grant.released({ signal: controller.signal })),
      rejection(grant.unshare({ whenReleased: true, signal: controller.signal })),
    ]
    controller.abort(reason)
    expect(await Promise.all(waiting)).toEqual([reason, reason])
    grant.bytes[0] = 1
    expect(grant.peer).toBe('mapped')
  })

  it('says unknown, and does not wait, when the peer writes nonsense', async () => {
    const { status } = await grant.offer()
    const liar = await world.xen.domain(7).map([status.ref], { writable: true })
    liar.bytes[status.offset] = 200
    expect(grant.peer).toBe('unknown')
    expect(await grant.released()).toBe('unknown')
    await liar.unmap()
  })

  it('is woken by an event where both ends have channels', async () => {
    await using near = await EventChannels.open({ device: world.xen })
    await using far = await EventChannels.open({ device: world.xen.domain(7) })
    const channel = await near.bindUnbound(7)
    const offer = await grant.offer({ channel })
    expect(offer.status.port).toBe(channel.port)
    const mapped = await mapper.map({ domid: 0, offer, events: far })
    // That it is the event that wakes it, and no poll: peer-watch.test.ts.
    const released = grant.released()
    await mapped.unmap()
    expect(await released).toBe('released')
  })

  it('learns of a peer process that is killed', async () => {
    const offer = await grant.offer()
    const child = node('test/fixtures/mapping-peer.mjs', world.xen.path, JSON.stringify(offer))
    const end = finished(child)
    child.stdout!.once('data', () => child.kill('SIGKILL'))
    expect(await grant.released()).toBe('released')
    expect((await end).signal).toBe('SIGKILL')
    await grant.unshare()
    expect((await world.xen.counters()).deferred).toBe(0)
  })
})

describe('a peer whose whole domain is destroyed', () => {
  it('has let go, although nobody is left to say so', async () => {
    const { refs, writable, status } = await grant.offer()
    const peer = await world.xen.domain(7).map([status.ref], { writable: true })
    const data = await world.xen.domain(7).map(refs, { writable })
    peer.bytes.set([1, 1], status.offset)
    expect(grant.peer).toBe('mapped')
    const released = grant.released()
    await world.xen.domain(7).destroy()
    expect(await released).toBe('released')
    await grant.unshare()
    expect((await world.xen.counters()).deferred).toBe(0)
    await Promise.all([peer.unmap(), data.unmap()])
  })

  it('keeps nobody waiting who never mapped', async () => {
    await grant.offer()
    await world.xen.domain(7).destroy()
    expect(await grant.released()).toBe('released')
  })

  it('no longer counts among the deferred pages', async () => {
    const { status } = await grant.offer()
    const peer = await world.xen.domain(7).map([status.ref], { writable: true })
    peer.bytes.set([1, 1], status.offset)
    await grant.unshare({ whenReleased: true, timeout: 5 })
    expect((await server.stats()).deferred).toMatchObject({ pages: 3, draining: 0 })
    await world.xen.domain(7).destroy()
    expect((await server.stats()).deferred).toMatchObject({ pages: 3, draining: 3 })
    await peer.unmap()
  })
})

describe('an offer that is none', () => {
  it.each([
    [{ refs: 'x', writable: false, status: { ref: 9, offset: 0 } }],
    [{ refs: [9], writable: 1, status: { ref: 9, offset: 0 } }],
    [{ refs: [9], writable: false, status: { ref: 0, offset: 0 } }],
    [{ refs: [9], writable: false, status: { ref: 9, offset: 4095 } }],
    [{ refs: [9], writable: false, status: { ref: 9, offset: 0, port: 0 } }],
    [{ refs: [9], writable: false, status: { ref: 9, offset: 0 }, more: 1 }],
    [7],
  ])('%j is refused', async (offer) => {
    expect((await rejection(mapper.map({ domid: 0, offer } as never))).code).toMatch(/^ERR_/)
  })

  it('whose status page cannot be mapped fails as a whole', async () => {
    const offer = { refs: [...grant.refs], writable: false, status: { ref: 30_000, offset: 0 } }
    expect((await rejection(mapper.map({ domid: 0, offer }))).code).toBe('EINVAL')
  })
})
