import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EventChannels, type Grant, GrantMapper, GrantServer, type MappedGrant } from 'xen-grants'
import { peerState } from '../../../src/pages/peer-status.js'
import { dependants } from '../../setup/dependants.js'
import { finished, node } from '../../setup/process.js'
import { rejection, useXen } from '../../setup/xen.js'

const world = useXen(undefined, async (xen): Promise<[GrantServer, GrantMapper]> => {
  const mapping = GrantMapper.open({ device: xen.domain(7) })
  return [await GrantServer.open({ device: xen }), await mapping]
})
let server: GrantServer
let mapper: GrantMapper
let grant: Grant
const mappings: MappedGrant[] = []
const grants: Grant[] = []

beforeEach(async () => {
  const [first, second] = world.opened
  server = first
  mapper = second
  grant = await share({ domid: 7, pages: 3 })
})
afterEach(async () => {
  await Promise.all(mappings.splice(0).map((mapped) => mapped.unmap()))
  await Promise.all(grants.splice(0).map((one) => one.unshare({ force: true })))
  // The status page goes a little after the last grant on it.
  await expect.poll(async () => (await server.stats()).pages, { interval: 1 }).toBe(0)
})

async function share(options: Parameters<GrantServer['share']>[0]): Promise<Grant> {
  const one = await server.share(options)
  grants.push(one)
  return one
}

async function map(): Promise<MappedGrant> {
  const mapped = await mapper.map({ domid: 0, offer: await grant.offer() })
  mappings.push(mapped)
  return mapped
}

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
    const others = await Promise.all([1, 2, 3].map(() => share({ domid: 7, pages: 1 })))
    await Promise.all([grant, ...others].map((one) => one.offer()))
    expect((await server.stats()).pages).toBe(3 + 3 + 1)
    for (const one of [grant, ...others]) await one.unshare()
    expect(await server.stats()).toMatchObject({ grants: 0, pages: 0 })
  })

  it('is not taken for released when it is offered anew with a place that another has left', async () => {
    const mapped = await map()
    await mapped.unmap()
    expect(grant.peer).toBe('released')
    await grant.unshare()
    const next = await share({ domid: 7, pages: 1 })
    await next.offer()
    expect(next.peer).toBe('never mapped')
  })

  it('needs no page of the budget: shares that wait for each other’s end can all be offered', async () => {
    await using small = await GrantServer.open({ device: world.xen, maxPages: 4, maxPagesPerDomain: 4 })
    const one = async (): Promise<void> => {
      const mine = await small.share({ domid: 7, pages: 1, wait: true })
      await mine.offer({ wait: true })
      await mine.unshare()
    }
    await Promise.all(Array.from({ length: 8 }, one))
    expect(await small.stats()).toMatchObject({ grants: 0, pages: 0 })
  })

  it('is offered although the budget that the driver leaves is used up', async () => {
    const { maxPages, pages } = await server.stats()
    const rest = await share({ domid: 7, pages: maxPages - pages })
    await rest.offer()
    await rest.unshare()
  })

  it('waits for a status page, or for the signal, when the driver has none', async () => {
    await world.xen.setLimit((await world.xen.counters()).pages)
    expect((await rejection(grant.offer())).code).toBe('ENOSPC')
    const controller = new AbortController()
    const aborted = rejection(grant.offer({ wait: true, signal: controller.signal }))
    const other = await Promise.race([grant.offer({ wait: true }), new Promise((r) => setImmediate(r))])
    expect(other).toBeUndefined()
    controller.abort(new Error('enough'))
    expect((await aborted).message).toBe('enough')
    await world.xen.setLimit(1024)
    await grant.offer({ wait: true })
    await grant.unshare()
    await expect.poll(async () => (await server.stats()).pages).toBe(0)
  })

  it('by one channel serves many at a time', async () => {
    await using here = await EventChannels.open({ device: world.xen })
    await using there = await EventChannels.open({ device: world.xen.domain(7) })
    const channel = await here.bindUnbound(7)
    const others = [grant, await share({ domid: 7, pages: 1 }), await share({ domid: 7, pages: 1 })]
    const mapped = await Promise.all(
      others.map(async (one) => mapper.map({ domid: 0, offer: await one.offer({ channel }), events: there })),
    )
    const woken = channel.wait()
    await mapped[0]!.unmap()
    await woken
    expect(others.map(({ peer }) => peer)).toEqual(['released', 'mapped', 'mapped'])
    const last = Promise.all(others.map((one) => one.released()))
    await Promise.all(mapped.map((one) => one.unmap()))
    expect(await last).toEqual(['released', 'released', 'released'])
    // The port is free again: only now does another mapper get it.
    await using other = await GrantMapper.open({ device: world.xen.domain(7) })
    const offer = await others[1]!.offer({ channel })
    await using again = await other.map({ domid: 0, offer, events: there })
    const error = await rejection(mapper.map({ domid: 0, offer, events: there }))
    expect(error).toMatchObject({ code: 'EINVAL', domid: 0 })
    expect(error.message).toContain('one GrantMapper')
    expect(again.refs).toHaveLength(1)
  })

  it('is refused whenReleased when it was not: nothing would tell', async () => {
    const mapped = await mapper.map({ domid: 0, refs: grant.refs })
    const error = await rejection(grant.unshare({ whenReleased: true }))
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' })
    expect(grant.bytes.length).toBe(3 * 4096)
    await mapped.unmap()
    await grant.unshare()
    await grant.unshare({ whenReleased: true })
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
    const { signal } = new AbortController()
    await grant.unshare({ whenReleased: true, timeout: 5, signal })
    expect([getEventListeners(signal, 'abort'), dependants(signal)], 'nothing is left at it').toEqual([[], 0])
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
