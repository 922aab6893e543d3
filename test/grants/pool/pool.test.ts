import { pipeline } from 'node:stream/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { GrantClient, type GrantPool, GrantServer } from 'xen-grants'
import { ClientThread } from '../../setup/client-thread.js'
import { mortal } from '../../setup/mortal.js'
import { rejection, useXen } from '../../setup/xen.js'

const world = useXen(
  undefined,
  async (xen): Promise<[GrantServer]> => [await GrantServer.open({ device: xen })],
)
let server: GrantServer

/** A byte, a little later. */
async function* one(): AsyncGenerator<Uint8Array> {
  await new Promise((resolve) => setImmediate(resolve))
  yield new Uint8Array(1)
}

const pools: GrantPool[] = []

beforeEach(() => {
  ;[server] = world.opened
})
afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.close({ force: true }))))

/** Of this file's server, until the test ends. */
async function makePool(options: Parameters<GrantServer['pool']>[0]): Promise<GrantPool> {
  const pool = await server.pool(options)
  pools.push(pool)
  return pool
}

describe('a pool of persistent grants', () => {
  it('hands out each grant once, and again after its release, without a call of the device', async () => {
    const pool = await makePool({ domid: 7, pages: 2, grants: 3 })
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
    const pool = await makePool({ domid: 7, pages: 1, grants: 1 })
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
    const pool = await makePool({ domid: 7, pages: 1, grants: 1, scrub: false })
    const grant = await pool.acquire()
    grant.bytes[0] = 8
    pool.release(grant)
    expect((await pool.acquire()).bytes[0]).toBe(8)
  })

  it('makes whoever finds none wait for a release, or for the signal', async () => {
    const pool = await makePool({ domid: 7, pages: 1, grants: 1 })
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
    const pool = await makePool({ domid: 7, pages: 1, grants: 1 })
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
    const pool = await makePool({ domid: 7, pages: 1, grants: 2 })
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

  it('hands out an object that is dead after its release, while the pages live on', async () => {
    const pool = await makePool({ domid: 7, pages: 1, grants: 1 })
    const first = await pool.acquire()
    const stream = first.createWriteStream()
    pool.release(first)
    const second = await pool.acquire()
    second.bytes.fill(6)
    expect(first.bytes.length).toBe(0)
    for (const call of [
      () => first.fill({ byte: 1 }),
      () => first.run('data:text/javascript,export default () => 1'),
      () => first.offer(),
      async () => first.handle(),
      async () => first.read(),
      () => pipeline([new Uint8Array(4)], stream),
    ])
      expect((await rejection(call())).code).toBe('ERR_GRANTS_UNSHARED')
    await first.unshare()
    expect(second.read().every((byte) => byte === 6)).toBe(true)
    expect(pool.free).toBe(0)
  })

  it('takes a grant back by unshare() and by the end of a scope, when what runs in it has ended', async () => {
    const pool = await makePool({ domid: 7, pages: 1, grants: 1 })
    {
      await using grant = await pool.acquire()
      grant.bytes[0] = 1
    }
    expect(pool.free).toBe(1)
    const grant = await pool.acquire()
    const filling = grant.fill(one())
    expect(() => pool.release(grant)).toThrow(/await it before/)
    const back = grant.unshare()
    expect(pool.free).toBe(0)
    await Promise.all([filling, back])
    expect(pool.free).toBe(1)
  })

  it('does not hand out a grant that has been unshared, nor waits for one when all have', async () => {
    const pool = await makePool({ domid: 7, pages: 1, grants: 2 })
    const out = await pool.acquire()
    const [gone] = pool.grants.filter(({ id }) => id !== out.id)
    await gone!.unshare()
    expect(pool.tryAcquire()).toBeUndefined()
    const waiting = rejection(pool.acquire())
    pool.release(out)
    // Whoever waits gets the one that is left.
    expect((await waiting.catch((error: Error) => error)).message).toContain('expected a rejection')
    for (const grant of pool.grants) await grant.unshare()
    expect((await rejection(pool.acquire())).code).toBe('ERR_GRANTS_UNSHARED')
  })

  it.each(['close', 'force', 'loss'])('rejects who waits when its server goes (%s)', async (how) => {
    const own = await GrantServer.open({ device: mortal(world.xen) as never, restart: false })
    own.on('error', () => {})
    const pool = await own.pool({ domid: 7, pages: 1, grants: 1 })
    await pool.acquire()
    const waiting = rejection(pool.acquire())
    // The device worker ends over this domain.
    if (how === 'loss') await rejection(own.share({ domid: 102, pages: 1 }))
    else await own.close({ force: how === 'force' })
    const code = how === 'loss' ? 'ERR_GRANTS_WORKER_DIED' : 'ERR_GRANTS_CLOSED'
    expect((await waiting).code).toBe(code)
    expect(() => pool.tryAcquire()).toThrow(expect.objectContaining({ code }))
    await pool.close()
    await expect.poll(async () => (await world.xen.counters()).mappings).toBe(0)
  })

  it('closes with the thread that made it: others that have joined are told, and return what they have', async () => {
    const pool = await makePool({ domid: 7, pages: 1, grants: 2 })
    const client = await GrantClient.connect(server.connect())
    const joined = await client.pool(pool.handle())
    const out = await joined.acquire()
    await joined.acquire()
    const waiting = rejection(joined.acquire())
    await pool.close()
    expect((await waiting).message).toContain('the grant pool is closed')
    expect(out.bytes.length).toBe(0)
    await joined.close()
    expect((await server.stats()).grants).toBe(0)
    await client.close()
  })

  it('closes by force whatever others do', async () => {
    const pool = await makePool({ domid: 7, pages: 1, grants: 1 })
    const thread = await ClientThread.connected(server.connect())
    await thread.do('pool', pool.handle())
    const id = await thread.do('acquire')
    // The thread writes for ever and turns no event loop, and so hears of nothing.
    const counter = new Int32Array(new SharedArrayBuffer(4))
    void thread.do('scribble', [id, counter])
    const begun = Atomics.waitAsync(counter, 0, 0)
    if (begun.async) await begun.value
    await pool.close({ force: true })
    expect((await server.stats()).grants).toBe(0)
    await thread.end('terminate')
  })

  it('gives everything back when closed', async () => {
    const pool = await makePool({ domid: 7, pages: 1, grants: 2 })
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
