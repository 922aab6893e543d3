// Every call of the grant device fails once, with every errno the driver has for it, under everything that makes it.
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { type Grant, GrantClient, GrantServer } from 'xen-grants'
import { ClientThread } from '../setup/client-thread.js'
import { type Fault, faults, useSharedXen } from '../setup/faults.js'
import { rejection } from '../setup/xen.js'

let server: GrantServer
const world = useSharedXen(
  async (xen) => {
    server = await GrantServer.open({ device: xen })
  },
  () => server.close(),
)

const share = (pages = 1): Promise<Grant> => server.share({ domid: 7, pages, writable: true })

/** The server has nothing left over, and serves: pages that the peer sees. */
async function servesOn(by: GrantServer = server): Promise<void> {
  expect(await by.stats()).toMatchObject({ grants: 0, pages: 0, waiting: 0 })
  const grant = await by.share({ domid: 7, pages: 3 })
  grant.bytes.fill(9)
  const mapped = await world.xen.domain(7).map(grant.refs)
  expect(mapped.bytes.every((byte) => byte === 9)).toBe(true)
  await mapped.unmap()
  await grant.unshare()
}

const allocating = faults({ 'gntalloc.allocate': ['ENOSPC', 'ENOMEM', 'EFAULT'] })
const mapping = faults({ 'gntalloc.mmap': ['ENOMEM', 'ENOENT', 'EINVAL', 'EAGAIN'] })
const disarming = faults({ 'gntalloc.setUnmapNotify': ['ENOENT', 'EINVAL', 'EFAULT'] })
const returning = faults({ 'gntalloc.deallocate': ['EINVAL', 'EFAULT'] })
const unmapping = faults({ 'gntalloc.munmap': ['ENOMEM', 'EINVAL'] })

describe('share', () => {
  it.each([...allocating, ...mapping])('of one rejects when %s fails with %s', async (...fault: Fault) => {
    await world.fail(fault)
    const error = await rejection(share(3))
    expect(error).toMatchObject({ name: 'GrantError', code: fault[1] })
    if (fault[1] === 'ENOSPC') expect(error.reason).toBe('limit')
    await servesOn()
  })

  it.each(allocating)('of many loses nobody when their common %s fails with %s', async (...fault: Fault) => {
    await world.fail(fault)
    const grants = await Promise.all([1, 2, 3, 4].map(share))
    await Promise.all(grants.map((grant) => grant.unshare()))
    await servesOn()
  })

  it.each(mapping)('of many loses one when one %s fails with %s', async (...fault: Fault) => {
    await world.fail(fault)
    const settled = await Promise.allSettled([1, 2, 3, 4].map(share))
    expect(settled.map(({ status }) => status).sort()).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
    ])
    for (const one of settled) if (one.status === 'fulfilled') await one.value.unshare()
    await servesOn()
  })

  it.each(returning)(
    'whose pages cannot be mapped, nor given back (%s: %s), has them given back later',
    async (...fault: Fault) => {
      await world.fail(['gntalloc.mmap', 'ENOMEM'], fault)
      expect((await rejection(share(3))).code).toBe('ENOMEM')
      await servesOn()
    },
  )

  it('with a status page rejects its offer, and offers when asked again', async () => {
    const grant = await share()
    await world.fail(['gntalloc.allocate', 'ENOMEM'])
    expect((await rejection(grant.offer())).code).toBe('ENOMEM')
    expect((await grant.offer()).refs).toEqual([...grant.refs])
    await grant.unshare()
    await servesOn()
  })
})

describe('setUnmapNotify', () => {
  it.each(disarming)('rejects when %s fails with %s', async (...fault: Fault) => {
    const grant = await share()
    await world.fail(fault)
    expect((await rejection(grant.setUnmapNotify({ clearByte: 1 }))).code).toBe(fault[1])
    await grant.setUnmapNotify({ clearByte: 1 })
    await grant.unshare()
    await servesOn()
  })
})

describe('unshare', () => {
  const ending = [...unmapping, ...returning, ...disarming]
  it.each([
    ...ending.map((fault) => [false, ...fault] as const),
    ...ending.map((fault) => [true, ...fault] as const),
  ])('(force: %s) rejects when %s fails with %s, and succeeds when tried again', async (force, ...fault) => {
    for (const again of [false, true]) {
      const grant = await share(3)
      await grant.setUnmapNotify({ page: 1, clearByte: 1 })
      await world.fail(fault)
      expect(await rejection(grant.unshare({ force }))).toMatchObject({ name: 'GrantError', code: fault[1] })
      expect(grant.bytes.length).toBe(0)
      // In the same way, or in the other one.
      await grant.unshare({ force: again !== force })
    }
    await servesOn()
  })

  it.each(returning)(
    'of many together loses nobody when their common %s fails with %s',
    async (...fault: Fault) => {
      const grants = await Promise.all([1, 2, 3, 4].map(share))
      await world.fail(fault)
      await Promise.all(grants.map((grant) => grant.unshare()))
      await servesOn()
    },
  )

  it.each(unmapping)(
    'of many together loses one at most when one %s fails with %s',
    async (...fault: Fault) => {
      const grants = await Promise.all([1, 2, 3, 4].map(share))
      await world.fail(fault)
      const settled = await Promise.allSettled(grants.map((grant) => grant.unshare()))
      // One that lies by itself, if any does.
      expect(settled.filter(({ status }) => status === 'rejected').length).toBeLessThan(2)
      await Promise.all(grants.map((grant) => grant.unshare()))
      await servesOn()
    },
  )
})

describe('a client', () => {
  it.each([...unmapping, ...returning])(
    'that closes leaves nothing when %s fails with %s',
    async (...fault: Fault) => {
      const client = await GrantClient.connect(server.connect())
      for (const pages of [1, 2]) await client.share({ domid: 7, pages })
      await world.fail(fault)
      await client.close()
      while ((await server.stats()).clients > 1) await new Promise((resolve) => setImmediate(resolve))
      await servesOn()
    },
  )

  it.each([...unmapping, ...returning])(
    'whose thread ends leaves nothing when %s fails with %s',
    async (...fault: Fault) => {
      const thread = await ClientThread.connected(server.connect())
      await thread.do('share', { domid: 7, pages: 2 })
      await world.fail(fault)
      const error = once(server, 'error')
      await thread.end('terminate')
      expect((await error)[0]).toMatchObject({ name: 'GrantError', code: fault[1] })
      while ((await server.stats()).grants > 0) await new Promise((resolve) => setImmediate(resolve))
      await servesOn()
    },
  )
})

describe('a server', () => {
  it.each([
    ...[...unmapping, ...returning, ...disarming].flatMap((fault) => [
      [false, ...fault] as const,
      [true, ...fault] as const,
    ]),
  ])('that closes (force: %s) leaves nothing when %s fails with %s', async (force, ...fault) => {
    const closing = await GrantServer.open({ device: world.xen })
    // What fails under a close by force has nobody to be told but this.
    closing.on('error', () => {})
    for (const pages of [1, 2]) {
      const grant = await closing.share({ domid: 7, pages })
      await grant.setUnmapNotify({ clearByte: 1 })
    }
    await world.fail(fault)
    await closing.close({ force })
  })

  it.each(faults({ 'gntalloc.open': ['EACCES', 'ENOMEM', 'ENODEV'], 'gntalloc.allocate': ['EFAULT'] }))(
    'does not open when %s fails with %s',
    async (...fault: Fault) => {
      await world.fail(fault)
      expect((await rejection(GrantServer.open({ device: world.xen }))).code).toBe(fault[1])
      let files = 2
      while (files > 1) files = (await world.xen.counters()).files
    },
  )

  it.each(faults({ 'gntalloc.allocate': ['ENOSPC', 'ENOMEM'] }))(
    'opens without reserve when %s fails with %s',
    async (...fault: Fault) => {
      await world.fail(fault)
      const bare = await GrantServer.open({ device: world.xen })
      expect(await bare.stats()).toMatchObject({ reserve: 0 })
      await servesOn(bare)
      await bare.close()
    },
  )
})
