import { describe, expect, it } from 'vitest'
import { type Grant, GrantClient, GrantServer, type ServerOptions } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { rejection, useXen } from '../setup/xen.js'

const world = useXen()
const open = (options: ServerOptions = {}): Promise<GrantServer> =>
  GrantServer.open({ device: world.xen, ...options })

/** Until that many requests wait. */
async function queued(server: GrantServer, count: number): Promise<void> {
  while ((await server.stats()).waiting !== count) await new Promise((resolve) => setImmediate(resolve))
}

describe('maxPages', () => {
  it('refuses what is too much for the server, saying what is left', async () => {
    await using server = await open({ maxPages: 10 })
    const grant = await server.share({ domid: 7, pages: 8 })
    const error = await rejection(server.share({ domid: 8, pages: 3 }))
    expect(error).toMatchObject({ name: 'GrantError', code: 'ERR_GRANTS_QUOTA', domid: 8, pages: 3 })
    expect(error.message).toMatch(/10 pages \(maxPages\) has 2 left.*wait: true/)
    await server.share({ domid: 8, pages: 2 })
    await grant.unshare()
    await server.share({ domid: 8, pages: 8 })
  })

  it('refuses for ever what can never fit, also with wait', async () => {
    await using server = await open({ maxPages: 10 })
    const error = await rejection(server.share({ domid: 7, pages: 11, wait: true }))
    expect(error).toMatchObject({ code: 'ERR_GRANTS_QUOTA' })
    expect(error.message).toContain('Ask for less')
  })

  it('is the driver’s limit without the reserve and what is left for status pages, if it is not given', async () => {
    await using server = await open()
    const { maxPages, reserve } = await server.stats()
    expect(maxPages).toBe(1024 - reserve - 16)
    await server.share({ domid: 7, pages: maxPages })
  })
})

describe('maxPagesPerDomain', () => {
  it('limits each domain by itself', async () => {
    await using server = await open({ maxPages: 10, maxPagesPerDomain: 4 })
    await server.share({ domid: 7, pages: 4 })
    const error = await rejection(server.share({ domid: 7, pages: 1 }))
    expect(error.code).toBe('ERR_GRANTS_QUOTA')
    expect(error.message).toContain('4 pages per domain (maxPagesPerDomain) has 0 left')
    await server.share({ domid: 8, pages: 4 })
  })
})

describe('maxQueue', () => {
  it('refuses shares while that many wait, and nothing else', async () => {
    await using server = await open({ maxPages: 4, maxQueue: 3 })
    const grant = await server.share({ domid: 7, pages: 4 })
    const waiting = [1, 2, 3].map((pages) => server.share({ domid: 7, pages, wait: true }))
    expect(await rejection(server.share({ domid: 7, pages: 1 }))).toMatchObject({ code: 'ERR_GRANTS_BUSY' })
    await grant.setUnmapNotify({})
    await grant.unshare()
    const [first, second] = await Promise.all(waiting.slice(0, 2))
    await Promise.all([first!.unshare(), second!.unshare()])
    await waiting[2]
  })

  it('is counted for each thread by itself', async () => {
    await using server = await open({ maxPages: 4, maxQueue: 1 })
    await using client = await GrantClient.connect(server.connect())
    const grant = await server.share({ domid: 7, pages: 4 })
    const waiting = server.share({ domid: 7, pages: 1, wait: true })
    await queued(server, 1)
    expect((await rejection(client.share({ domid: 7, pages: 1 }))).code).toBe('ERR_GRANTS_QUOTA')
    await grant.unshare()
    await waiting
  })
})

describe('wait: true', () => {
  it('gets its pages in the order of asking, large ones too', async () => {
    await using server = await open({ maxPages: 10 })
    const held = await Promise.all([5, 5].map((pages) => server.share({ domid: 7, pages })))
    const order: number[] = []
    const waiting = [9, 1, 2].map(async (pages) => {
      const grant = await server.share({ domid: 7, pages, wait: true })
      order.push(pages)
      return grant
    })
    await queued(server, 3)
    await held[0]!.unshare()
    await queued(server, 3)
    await held[1]!.unshare()
    const [large] = await Promise.all(waiting.slice(0, 2))
    await large!.unshare()
    await Promise.all(waiting)
    expect(order).toEqual([9, 1, 2])
  })

  it('can be given up, at once as well as later, and lets those behind it pass', async () => {
    await using server = await open({ maxPages: 10 })
    await server.share({ domid: 7, pages: 5 })
    for (const late of [true, false]) {
      const controller = new AbortController()
      const large = rejection(server.share({ domid: 7, pages: 9, wait: true, signal: controller.signal }))
      const small = server.share({ domid: 7, pages: 1, wait: true })
      if (late) await queued(server, 2)
      const reason = new Error('enough')
      controller.abort(reason)
      expect(await large).toBe(reason)
      await (await small).unshare()
      await queued(server, 0)
    }
  })

  it('ends with its client, or with the server, even when it has only just been asked', async () => {
    const server = await open({ maxPages: 10 })
    await server.share({ domid: 7, pages: 5 })
    const client = await GrantClient.connect(server.connect())
    const mine = rejection(client.share({ domid: 7, pages: 9, wait: true }))
    await client.close()
    expect((await mine).code).toBe('ERR_GRANTS_CLOSED')
    const others = rejection(server.share({ domid: 7, pages: 9, wait: true }))
    await server.close()
    expect((await others).code).toBe('ERR_GRANTS_CLOSED')
  })

  it('waits at a limit that other programs have used up, and is served when they let go', async () => {
    await using other = await open({ maxPages: 1000 })
    await using server = await open({ maxPages: 1000 })
    const theirs = await other.share({ domid: 7, pages: 1000 })
    const waiting = server.share({ domid: 7, pages: 100, wait: true })
    await queued(server, 1)
    await theirs.unshare()
    expect((await waiting).pages).toBe(100)
  })
})

describe('ENOSPC', () => {
  it('of the limit says which, and how to raise it; raised, there is room', async () => {
    await using server = await open({ maxPages: 5000 })
    const error = await rejection(server.share({ domid: 7, pages: 1024 }))
    expect(error).toMatchObject({
      code: 'ENOSPC',
      reason: 'limit',
      errno: -28,
      syscall: 'ioctl',
      pages: 1024,
    })
    expect(error.message).toContain('/sys/module/xen_gntalloc/parameters/limit')
    await world.xen.setLimit(2000)
    await server.share({ domid: 7, pages: 1024 })
    await world.xen.setLimit(100)
    expect(await rejection(server.share({ domid: 7, pages: 1 }))).toMatchObject({ reason: 'limit' })
  })

  it('of the grant table says what shares it', async () => {
    await using xen = await SimulatedXen.create({ tableCapacity: 60 })
    await using server = await GrantServer.open({ device: xen, headroom: 0 })
    const error = await rejection(server.share({ domid: 7, pages: 50 }))
    expect(error).toMatchObject({ code: 'ENOSPC', reason: 'grant-table' })
    expect(error.message).toMatch(/disks and network.*max_grant_frames/)
    await server.share({ domid: 7, pages: 40 })
  })

  it('of a driver wedged by somebody else says what ends it', async () => {
    await using xen = await SimulatedXen.create({ tableCapacity: 60, limit: 63 })
    const server = await GrantServer.open({ device: xen, headroom: 0 })
    expect((await server.stats()).reserve).toBe(0)
    // What another program asks fails late, because the table is short: one is taken off the driver's count too many.
    const careless = await GrantServer.open({ device: xen, headroom: 0, maxPages: 100 })
    expect(await rejection(careless.share({ domid: 7, pages: 55 }))).toMatchObject({ code: 'ENOSPC' })
    await careless.close()
    const error = await rejection(server.share({ domid: 7, pages: 1 }))
    expect(error).toMatchObject({ code: 'ENOSPC', reason: 'wedged' })
    expect(error.message).toContain('rmmod xen_gntalloc')
    await server.close()
  })

  it('does not wedge a driver below a server that keeps reserve', async () => {
    await using xen = await SimulatedXen.create({ tableCapacity: 60, limit: 64 })
    await using server = await GrantServer.open({ device: xen, headroom: 0, maxPages: 100 })
    expect(await rejection(server.share({ domid: 7, pages: 55 }))).toMatchObject({ reason: 'grant-table' })
    const grant: Grant = await server.share({ domid: 7, pages: 1 })
    await grant.unshare()
  })
})

describe('headroom', () => {
  it('is a sixteenth of the grant table unless it is given', async () => {
    await using xen = await SimulatedXen.create({ tableCapacity: 320, limit: 1000 })
    for (const [options, room] of [
      [{}, 300],
      [{ headroom: 200 }, 120],
    ] as const) {
      await using server = await GrantServer.open({ device: xen, ...options })
      const left = room - (await server.stats()).reserve
      const error = await rejection(server.share({ domid: 7, pages: left + 1 }))
      expect(error).toMatchObject({ code: 'ENOSPC', reason: 'grant-table' })
      expect(error.message).toContain('headroom')
      await server.share({ domid: 7, pages: left })
    }
  })
})
