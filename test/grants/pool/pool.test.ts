import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { GrantClient, GrantServer } from 'xen-grants'
import { ClientThread } from '../../setup/client-thread.js'
import { rejection, useXen } from '../../setup/xen.js'

const world = useXen()
let server: GrantServer

beforeEach(async () => {
  server = await GrantServer.open({ device: world.xen })
})
afterEach(() => server.close())

describe('a pool of persistent grants', () => {
  it('hands out each grant once, and again after its release, without a call of the device', async () => {
    const pool = await server.pool({ domid: 7, pages: 2, grants: 3 })
    const { calls, batches } = await server.stats()
    for (let round = 0; round < 100; round++) {
      const out = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()])
      expect(new Set(out).size).toBe(3)
      expect(pool.tryAcquire()).toBeUndefined()
      for (const grant of out) pool.release(grant)
      expect(pool.free).toBe(3)
    }
    expect(await server.stats()).toMatchObject({ calls, batches })
  })

  it('lets the peer keep its mapping, and shows the next user zeros', async () => {
    const pool = await server.pool({ domid: 7, pages: 1, grants: 1 })
    const mapped = await world.xen.domain(7).map(pool.grants[0]!.refs)
    const first = await pool.acquire()
    first.bytes.fill(5)
    expect(mapped.bytes[9]).toBe(5)
    pool.release(first)
    expect(mapped.bytes[9]).toBe(0)
    const second = await pool.acquire()
    second.bytes.fill(6)
    expect(mapped.bytes[9]).toBe(6)
    await mapped.unmap()
  })

  it('keeps the bytes when told not to scrub', async () => {
    const pool = await server.pool({ domid: 7, pages: 1, grants: 1, scrub: false })
    const grant = await pool.acquire()
    grant.bytes[0] = 8
    pool.release(grant)
    expect((await pool.acquire()).bytes[0]).toBe(8)
  })

  it('makes whoever finds none wait for a release, or for the signal', async () => {
    const pool = await server.pool({ domid: 7, pages: 1, grants: 1 })
    const grant = await pool.acquire()
    const reason = new Error('enough')
    const controller = new AbortController()
    const aborted = rejection(pool.acquire({ signal: controller.signal }))
    const waiting = pool.acquire()
    controller.abort(reason)
    expect(await aborted).toBe(reason)
    pool.release(grant)
    expect((await waiting).id).toBe(grant.id)
  })

  it('refuses what is not its own, and a second release', async () => {
    const pool = await server.pool({ domid: 7, pages: 1, grants: 1 })
    const other = await server.share({ domid: 7, pages: 1 })
    const grant = await pool.acquire()
    pool.release(grant)
    expect(() => pool.release(grant)).toThrow(/released already/)
    expect(() => pool.release(other)).toThrow(TypeError)
  })

  it('is made as a whole or not at all', async () => {
    await using small = await GrantServer.open({ device: world.xen, maxPages: 5 })
    expect((await rejection(small.pool({ domid: 7, pages: 2, grants: 3 }))).code).toBe('ERR_GRANTS_QUOTA')
    expect((await small.stats()).pages).toBe(0)
    for (const wrong of [{ grants: 0 }, { domid: -1 }, { pages: 0 }]) {
      expect((await rejection(server.pool({ domid: 7, pages: 1, grants: 1, ...wrong }))).code).toBe(
        'ERR_OUT_OF_RANGE',
      )
    }
  })

  it('is shared with other threads, each with views of its own', async () => {
    const pool = await server.pool({ domid: 7, pages: 1, grants: 2 })
    const thread = await ClientThread.connected(server.connect())
    await thread.do('pool', pool.handle())
    const mine = await pool.acquire()
    const theirs = await thread.do('acquire')
    expect(theirs).not.toBe(mine.id)
    expect(pool.tryAcquire()).toBeUndefined()
    const waiting = pool.acquire()
    await thread.do('release', theirs)
    const got = await waiting
    expect(got.id).toBe(theirs)
    pool.release(got)
    expect(await thread.do('acquire')).toBe(theirs)
    const { threadId } = thread.worker
    await thread.end('terminate')
    expect(pool.free).toBe(0)
    expect(pool.reclaim(threadId)).toBe(1)
    expect(pool.free).toBe(1)
  })

  it('gives everything back when closed', async () => {
    const pool = await server.pool({ domid: 7, pages: 1, grants: 2 })
    const grant = await pool.acquire()
    await pool.acquire()
    const waiting = rejection(pool.acquire())
    await pool.close()
    await pool.close()
    expect((await waiting).code).toBe('ERR_GRANTS_CLOSED')
    expect(grant.bytes.length).toBe(0)
    expect(await server.stats()).toMatchObject({ grants: 0, pages: 0 })
    expect((await rejection(pool.acquire())).code).toBe('ERR_GRANTS_CLOSED')
    const client = await GrantClient.connect(server.connect())
    expect((await rejection(client.pool({ type: 'xen-grants.pool' } as never))).code).toBe(
      'ERR_INVALID_ARG_TYPE',
    )
    await client.close()
  })
})
