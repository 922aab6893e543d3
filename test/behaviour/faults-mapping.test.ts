// The same for the other end: the mapping device and event channels.
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { EventChannels, type Grant, GrantMapper, GrantServer } from 'xen-grants'
import { type Fault, faults, useSharedXen } from '../setup/faults.js'
import { rejection } from '../setup/xen.js'

let server: GrantServer
let grant: Grant
let mapper: GrantMapper
let here: EventChannels
let there: EventChannels
const world = useSharedXen(
  async (xen) => {
    server = await GrantServer.open({ device: xen })
    grant = await server.share({ domid: 7, pages: 8, writable: true })
    mapper = await GrantMapper.open({ device: xen.domain(7) })
    here = await EventChannels.open({ device: xen })
    there = await EventChannels.open({ device: xen.domain(7) })
  },
  async () => {
    for (const each of [mapper, here, there, server]) await each.close()
  },
)

const request = () => ({ domid: 0, refs: grant.refs, writable: true })

async function mapsOn(by = mapper): Promise<void> {
  const mapped = await by.map(request())
  mapped.bytes.fill(5)
  expect(grant.bytes.every((byte) => byte === 5)).toBe(true)
  await mapped.unmap()
}

const recording = faults({ 'gntdev.map': ['EINVAL', 'ENOMEM', 'EFAULT'] })
const mapping = faults({ 'gntdev.mmap': ['EINVAL', 'ENOMEM', 'EAGAIN'] })
const arming = faults({ 'gntdev.setUnmapNotify': ['EINVAL', 'ENOENT', 'EFAULT'] })
const unmapping = faults({ 'gntdev.munmap': ['ENOMEM', 'EINVAL'], 'gntdev.unmap': ['ENOENT', 'EFAULT'] })

describe('map', () => {
  it.each([...recording, ...mapping, ...arming])('rejects when %s fails with %s', async (...fault: Fault) => {
    await world.fail(fault)
    const options = { ...request(), unmapNotify: { clearByte: 9 } }
    expect(await rejection(mapper.map(options))).toMatchObject({ name: 'GrantError', code: fault[1] })
    await mapsOn()
  })

  it.each([...recording, ...mapping, ...arming])(
    'of an offer rejects when %s fails with %s, and the granter knows nothing of it',
    async (...fault: Fault) => {
      await using offered = await server.share({ domid: 7, pages: 1 })
      const offer = await offered.offer()
      await world.fail(fault)
      expect((await rejection(mapper.map({ domid: 0, offer }))).code).toBe(fault[1])
      expect(offered.peer).toBe('never mapped')
      await using _mapped = await mapper.map({ domid: 0, offer })
      expect(offered.peer).toBe('mapped')
    },
  )

  it.each(unmapping)('finds the bad reference when %s fails with %s on the way', async (...fault: Fault) => {
    const refs = [...grant.refs]
    refs[5] = 30_000
    await world.fail(fault)
    expect(await rejection(mapper.map({ domid: 0, refs }))).toMatchObject({ code: 'EINVAL', ref: 30_000 })
    await mapsOn()
  })

  it.each([...recording, ...faults({ 'gntdev.mmap': ['ENOMEM'] })])(
    'says at least what failed first when %s fails with %s in the search',
    async (...fault: Fault) => {
      // The first call is the one that is refused; the fault must not hit before that.
      const refs = [...grant.refs]
      refs[5] = 30_000
      await world.fail(...(fault[0] === 'gntdev.mmap' ? [['gntdev.mmap', 'EINVAL'] as const] : []), fault)
      const error = await rejection(mapper.map({ domid: 0, refs }))
      expect([fault[1], 'EINVAL']).toContain(error.code)
      await mapsOn()
    },
  )
})

describe('unmap', () => {
  it.each([
    ...unmapping.map((fault) => [false, ...fault] as const),
    ...unmapping.map((fault) => [true, ...fault] as const),
  ])('(force: %s) rejects when %s fails with %s, and succeeds when tried again', async (force, ...fault) => {
    for (const again of [false, true]) {
      const mapped = await mapper.map(request())
      expect(mapped.bytes.length).toBe(8 * 4096)
      await world.fail(fault)
      expect(await rejection(mapped.unmap({ force }))).toMatchObject({ name: 'GrantError', code: fault[1] })
      expect(mapped.bytes.length).toBe(0)
      await mapped.unmap({ force: again !== force })
    }
    await mapsOn()
  })

  it.each([
    ...unmapping.map((fault) => [false, ...fault] as const),
    ...unmapping.map((fault) => [true, ...fault] as const),
  ])(
    'of an offered grant (force: %s) tells its owner in the end when %s fails with %s',
    async (force, ...fault) => {
      const offered = await server.share({ domid: 7, pages: 1 })
      const mapped = await mapper.map({ domid: 0, offer: await offered.offer() })
      await world.fail(fault)
      expect((await rejection(mapped.unmap({ force }))).code).toBe(fault[1])
      await mapped.unmap({ force })
      expect(await offered.released()).toBe('released')
      await offered.unshare()
    },
  )
})

describe('a mapper', () => {
  it.each([
    ...unmapping.map((fault) => [false, ...fault] as const),
    ...unmapping.map((fault) => [true, ...fault] as const),
  ])('that closes (force: %s) leaves nothing when %s fails with %s', async (force, ...fault) => {
    const closing = await GrantMapper.open({ device: world.xen.domain(7) })
    closing.on('error', (error) => expect.unreachable(error.message))
    for (let i = 0; i < 2; i++) await closing.map(request())
    await world.fail(fault)
    await closing.close({ force })
  })

  it.each(faults({ 'gntdev.open': ['EACCES', 'ENOMEM'] }))(
    'does not open when %s fails with %s',
    async (...fault: Fault) => {
      await world.fail(fault)
      expect((await rejection(GrantMapper.open({ device: world.xen.domain(7) }))).code).toBe(fault[1])
    },
  )

  it.each(faults({ 'gntdev.copy': ['EINVAL', 'EFAULT'] }))(
    'rejects a copy when %s fails with %s',
    async (...fault: Fault) => {
      const segments = [{ source: { domid: 0, ref: grant.refs[0]! }, target: new Uint8Array(16) }]
      await world.fail(fault)
      expect((await rejection(mapper.copy(segments))).code).toBe(fault[1])
      expect((await mapper.copy(segments))[0]!.status).toBe(0)
    },
  )
})

describe('event channels', () => {
  const binding = faults({
    'evtchn.bindUnbound': ['EACCES', 'ENOSPC', 'ENOMEM'],
    'evtchn.bindInterdomain': ['EACCES', 'ESRCH', 'EINVAL', 'ENOSPC'],
    'evtchn.bindVirq': ['EACCES', 'EINVAL', 'EEXIST'],
    'evtchn.restrict': ['EACCES', 'EINVAL'],
  })
  const uses = {
    'evtchn.bindUnbound': () => here.bindUnbound(7),
    'evtchn.bindInterdomain': () => here.bindInterdomain(7, 1),
    'evtchn.bindVirq': () => here.bindVirq(3),
    'evtchn.restrict': () => here.restrict(7),
  }

  async function pair() {
    const near = await here.bindUnbound(7)
    const far = await there.bindInterdomain(0, near.port)
    await far.wait()
    return [near, far] as const
  }

  async function carriesOn(): Promise<void> {
    const [near, far] = await pair()
    for (let i = 0; i < 2; i++) {
      near.notify()
      await far.wait()
    }
    await Promise.all([near.close(), far.close()])
  }

  it.each(binding)('reject when %s fails with %s', async (...fault: Fault) => {
    await world.fail(fault)
    expect((await rejection(uses[fault[0] as keyof typeof uses]() as Promise<unknown>)).code).toBe(fault[1])
    await carriesOn()
  })

  it('tell of a notification that failed', async () => {
    const [near, far] = await pair()
    await world.fail(['evtchn.notify', 'ENOTCONN'])
    const error = once(here, 'error')
    near.notify()
    expect((await error)[0]).toMatchObject({ code: 'ENOTCONN' })
    near.notify()
    await far.wait()
    await Promise.all([near.close(), far.close()])
  })

  it.each([
    [['evtchn.read', 'EFBIG']],
    [['evtchn.read', 'EIO']],
    [
      ['evtchn.read', 'EFBIG'],
      ['evtchn.reset', 'EINVAL'],
    ],
    [['evtchn.unmask', 'EFAULT']],
  ] as Fault[][])('lose no event when %j fails', async (...ordered) => {
    const [near, far] = await pair()
    const errors: unknown[] = []
    const note = (error: Error): unknown => errors.push(error)
    there.on('error', note)
    await world.fail(...ordered)
    for (let i = 0; i < 3; i++) {
      near.notify()
      await far.wait()
    }
    there.off('error', note)
    expect(errors.length).toBeLessThanOrEqual(1)
    await Promise.all([near.close(), far.close()])
  })

  it.each(faults({ 'evtchn.open': ['EACCES', 'ENOMEM'] }))(
    'do not open when %s fails with %s',
    async (...fault: Fault) => {
      await world.fail(fault)
      expect((await rejection(EventChannels.open({ device: world.xen }))).code).toBe(fault[1])
    },
  )
})
