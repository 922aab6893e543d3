import { MessageChannel } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Grant, GrantClient, GrantServer } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { ClientThread } from '../setup/client-thread.js'
import { rejection, useXen } from '../setup/xen.js'

const world = useXen(
  undefined,
  async (xen): Promise<[GrantServer]> => [await GrantServer.open({ device: xen })],
)
let server: GrantServer
const threads: ClientThread[] = []
const grants: Grant[] = []

beforeEach(() => {
  server = world.opened[0]
})
afterEach(async () => {
  await Promise.all(threads.splice(0).map(({ worker }) => worker.terminate()))
  await Promise.all(grants.splice(0).map((grant) => grant.unshare({ force: true })))
  await until(async () => (await server.stats()).clients === 1)
})

async function share(options: Parameters<GrantServer['share']>[0]): Promise<Grant> {
  const grant = await server.share(options)
  grants.push(grant)
  return grant
}

async function thread(of = server): Promise<ClientThread> {
  const made = await ClientThread.connected(of.connect())
  threads.push(made)
  return made
}

/** The device worker hears of a thread's end a moment after we do. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve))
}

describe('a client in another thread', () => {
  it('shares by itself, and the peer sees what it writes', async () => {
    const client = await thread()
    const { id, refs } = await client.do('share', { domid: 7, pages: 2 })
    await client.do('fill', [id, 9])
    const mapped = await world.xen.domain(7).map(refs)
    expect(mapped.bytes.every((byte) => byte === 9)).toBe(true)
    await mapped.unmap()
    expect(await client.do('stats')).toMatchObject({ grants: 1, pages: 2, clients: 2 })
    await client.do('unshare', [id])
  })

  it('attaches to a grant made elsewhere: the same pages, a view of its own', async () => {
    const client = await thread()
    const grant = await share({ domid: 7, pages: 2, writable: true })
    const seen = await client.do('attach', grant.handle())
    expect(seen).toEqual({ domid: 7, pages: 2, writable: true, refs: grant.refs })
    grant.bytes[5000] = 42
    expect(await client.do('read', [grant.id, 5000])).toBe(42)
    await client.do('write', [grant.id, 1, 43])
    expect(grant.bytes[1]).toBe(43)
  })

  it('keeps the pages mapped until it lets go', async () => {
    const client = await thread()
    const grant = await share({ domid: 7, pages: 1 })
    await client.do('attach', grant.handle())
    let unshared = false
    const unsharing = grant.unshare().then(() => {
      unshared = true
    })
    await client.do('write', [grant.id, 0, 1])
    expect(unshared).toBe(false)
    await client.do('unshare', [grant.id])
    await unsharing
    expect(await client.do('bytesLength', grant.id)).toBe(0)
  })

  it('can be waited for with a signal, and the grant stays usable', async () => {
    const client = await thread()
    const grant = await share({ domid: 7, pages: 1 })
    await client.do('attach', grant.handle())
    const controller = new AbortController()
    const unsharing = rejection(grant.unshare({ signal: controller.signal }))
    await server.stats()
    const reason = new Error('not yet')
    controller.abort(reason)
    expect(await unsharing).toBe(reason)
    grant.bytes[0] = 5
    expect(await client.do('read', [grant.id, 0])).toBe(5)
  })

  it('loses its view when the owner forces, and keeps working', async () => {
    const client = await thread()
    const grant = await share({ domid: 7, pages: 1 })
    await client.do('attach', grant.handle())
    await grant.unshare({ force: true })
    await until(async () => (await client.do('bytesLength', grant.id)) === 0)
    expect((await rejection(client.do('fill', [grant.id, 1]))).code).toBe('ERR_GRANTS_UNSHARED')
    const { id } = await client.do('share', { domid: 7, pages: 1 })
    await client.do('unshare', [id])
  })

  it('that writes for ever survives a forced unshare and harms nobody', async () => {
    const client = await thread()
    const grant = await share({ domid: 7, pages: 4 })
    await client.do('attach', grant.handle())
    const counter = new Int32Array(new SharedArrayBuffer(4))
    const moved = async (): Promise<void> => {
      const before = Atomics.load(counter, 0)
      const wait = Atomics.waitAsync(counter, 0, before)
      const awake = setInterval(() => {}, 1000)
      if (wait.async) await wait.value
      clearInterval(awake)
    }
    void client.do('scribble', [grant.id, counter])
    await moved()
    await grant.unshare({ force: true })
    const others = await Promise.all(Array.from({ length: 20 }, () => share({ domid: 7, pages: 4 })))
    await moved()
    await moved()
    for (const other of others) expect(other.bytes.every((byte) => byte === 0)).toBe(true)
  })

  it.each(['exit', 'crash', 'terminate'] as const)(
    'that ends (%s) loses its leases and its grants; others are untouched',
    async (how) => {
      const [leaving, staying] = [await thread(), await thread()]
      const grant = await share({ domid: 7, pages: 1 })
      await leaving.do('attach', grant.handle())
      await leaving.do('share', { domid: 7, pages: 5 })
      const { id } = await staying.do('share', { domid: 7, pages: 3 })
      await staying.do('write', [id, 0, 7])
      await leaving.end(how)
      await until(async () => (await server.stats()).clients === 2)
      expect(await server.stats()).toMatchObject({ grants: 2, pages: 4 })
      expect(await staying.do('read', [id, 0])).toBe(7)
      await grant.unshare()
    },
  )

  it('is told when the server closes, and lets go', async () => {
    const own = await GrantServer.open({ device: world.xen })
    const client = await thread(own)
    const { id } = await client.do('share', { domid: 7, pages: 3 })
    expect(await client.do('fill', [id, 1])).toBe(3 * 4096)
    await own.close()
    expect((await rejection(client.do('share', { domid: 7, pages: 1 }))).code).toBe('ERR_GRANTS_CLOSED')
  })

  it('cannot hold up a close by force', async () => {
    const own = await GrantServer.open({ device: world.xen })
    const client = await thread(own)
    const { id } = await client.do('share', { domid: 7, pages: 3 })
    const counter = new Int32Array(new SharedArrayBuffer(4))
    void client.do('scribble', [id, counter])
    await own.close({ force: true })
  })
})

describe('attach', () => {
  it('of one thread twice takes two leases: one that is returned leaves the other usable', async () => {
    const client = await GrantClient.connect(server.connect())
    const grant = await share({ domid: 7, pages: 1 })
    const [a, b] = await Promise.all([client.attach(grant.handle()), client.attach(grant.handle())])
    await a.unshare()
    const unsharing = grant.unshare()
    b.bytes[0] = 5
    expect([a.bytes.length, b.bytes[0], (await client.stats()).grants]).toEqual([0, 5, 1])
    await b.unshare()
    await unsharing
    await client.close()
  })

  it('in the thread that shared it is a lease as any other, and takes nothing back', async () => {
    const grant = await share({ domid: 7, pages: 1 })
    const attached = await server.attach(grant.handle())
    await attached.unshare()
    grant.bytes[0] = 5
    const again = await server.attach(grant.handle())
    expect(again.bytes[0]).toBe(5)
    await grant.unshare({ force: true })
    await expect(again.fill({ byte: 1 })).rejects.toMatchObject({ code: 'ERR_GRANTS_UNSHARED' })
    expect(again.bytes.length).toBe(0)
  })

  it('refuses what is no handle, of another server, or of a grant that is gone', async () => {
    await using other = await GrantServer.open({ device: world.xen })
    const grant = await share({ domid: 7, pages: 1 })
    const handle = grant.handle()
    expect((await rejection(other.attach(handle))).code).toBe('ERR_INVALID_ARG_TYPE')
    for (const wrong of [undefined, {}, { ...handle, id: 'x' }, { ...handle, type: 'other' }]) {
      expect((await rejection(server.attach(wrong as never))).code).toBe('ERR_INVALID_ARG_TYPE')
    }
    await grant.unshare()
    expect((await rejection(server.attach(handle))).code).toBe('ERR_GRANTS_UNSHARED')
    expect((await rejection(server.attach({ ...handle, id: 2 ** 40 }))).code).toBe('ERR_GRANTS_UNSHARED')
  })
})

describe('connect', () => {
  it('refuses what is no port, a port of somebody else’s, and one whose other end has gone', async () => {
    expect((await rejection(GrantClient.connect({} as never))).code).toBe('ERR_INVALID_ARG_TYPE')
    const { port1, port2 } = new MessageChannel()
    const error = await rejection(GrantClient.connect(port1))
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' })
    expect(error.message).toContain('server.connect()')
    port2.close()
    expect((await rejection(GrantClient.connect(port1))).code).toBe('ERR_INVALID_ARG_VALUE')
  })

  it('takes each port once, and the client that has it does not notice a second try', async () => {
    const port = server.connect()
    const client = await GrantClient.connect(port)
    const sharing = client.share({ domid: 7, pages: 1 })
    const error = await rejection(GrantClient.connect(port))
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
    expect(error.message).toContain('already belongs to a client')
    await (await sharing).unshare()
    await client.close()
  })

  it('can be given up while the device worker has no time', async () => {
    await using busy = await SimulatedXen.create({ ioctlDelay: 100, freePerIteration: 0 })
    await using slow = await GrantServer.open({ device: busy })
    const holding = slow.share({ domid: 7, pages: 1 })
    const controller = new AbortController()
    const connecting = rejection(GrantClient.connect(slow.connect(), { signal: controller.signal }))
    controller.abort(new Error('enough'))
    expect((await connecting).message).toBe('enough')
    await (await holding).unshare()
  })

  it.each([false, true])('on a port that nobody has claimed holds up no close (force: %s)', async (force) => {
    const own = await GrantServer.open({ device: world.xen })
    const ports = [own.connect(), own.connect()]
    expect(() => structuredClone({ port: own.connect() })).toThrow('transfer')
    await own.close({ force })
    for (const port of ports)
      expect((await rejection(GrantClient.connect(port))).code).toMatch(
        /ERR_GRANTS_CLOSED|ERR_INVALID_ARG_VALUE/,
      )
  })
})

describe('fairness', () => {
  it('a client with many requests queued does not hold up another by more than a few turns', async () => {
    await using slow = await GrantServer.open({ device: world.xen, maxPages: 1000, maxQueue: 200_000 })
    const [greedy, modest] = [
      await GrantClient.connect(slow.connect()),
      await GrantClient.connect(slow.connect()),
    ]
    const grant = await greedy.share({ domid: 7, pages: 1 })
    let done = 0
    const flood = Promise.all(Array.from({ length: 6000 }, () => grant.setUnmapNotify({}).then(() => done++)))
    const mine = await modest.share({ domid: 8, pages: 1 })
    const before = done
    await mine.unshare()
    expect(before).toBeLessThan(2000)
    await flood
    await greedy.close()
    await modest.close()
  })
})
