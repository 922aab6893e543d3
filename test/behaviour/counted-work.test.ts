// What coalescing saves, counted: calls of the driver and messages between threads, per operation. A change that makes
// more of them fails here; time is not looked at.
import { beforeEach, describe, expect, it } from 'vitest'
import { GrantClient, GrantServer } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { useXen } from '../setup/xen.js'

const MANY = 512

const world = useXen(
  undefined,
  async (xen): Promise<[GrantServer]> => [await GrantServer.open({ device: xen })],
)
let server: GrantServer

beforeEach(() => {
  ;[server] = world.opened
})

/** What `work` has cost. */
async function cost(work: () => Promise<unknown>, of = server): Promise<Record<string, number>> {
  const before = await of.stats()
  await work()
  const after = await of.stats()
  const calls = Object.entries(after.calls).map(([name, count]) => [name, count - before.calls[name]!])
  return { ...Object.fromEntries(calls), batches: after.batches - before.batches }
}

const none = { allocate: 0, deallocate: 0, setUnmapNotify: 0, mmap: 0, munmap: 0 }
const share = (domid = 7) => server.share({ domid, pages: 1 })

describe(`${MANY} concurrent shares of one page`, () => {
  it('for one domain are one ALLOC and one batch; their ends one DEALLOC, few munmaps and one batch', async () => {
    const many = Array.from({ length: MANY })
    let grants: Awaited<ReturnType<typeof share>>[] = []
    const shares = await cost(async () => {
      grants = await Promise.all(many.map(() => share()))
    })
    expect(shares).toEqual({ ...none, allocate: 1, mmap: MANY, batches: 1 })
    const ends = await cost(() => Promise.all(grants.map((grant) => grant.unshare())))
    // Mappings are side by side, except where something else of the process lies between them. Needs a process of its own: what
    // other files have left lies there too.
    expect(ends.munmap).toBeLessThanOrEqual(MANY / 16)
    expect(ends).toEqual({ ...none, deallocate: 1, munmap: ends.munmap, batches: 1 })
  })

  it('for four domains are four ALLOCs', async () => {
    const grants = await Promise.all(Array.from({ length: 4 }, (_, i) => share(i + 1)))
    await Promise.all(grants.map((grant) => grant.unshare()))
    const shares = await cost(() => Promise.all(Array.from({ length: MANY }, (_, i) => share(1 + (i % 4)))))
    expect(shares).toEqual({ ...none, allocate: 4, mmap: MANY, batches: 1 })
  })

  it('in four clients are no more calls than in one, if they arrive together', async () => {
    const clients = await Promise.all(Array.from({ length: 4 }, () => GrantClient.connect(server.connect())))
    const shares = await cost(() =>
      Promise.all(
        clients.flatMap((client) =>
          Array.from({ length: MANY / 4 }, () => client.share({ domid: 7, pages: 1 })),
        ),
      ),
    )
    // They may not: each client has a port of its own.
    expect(shares.allocate).toBeLessThanOrEqual(4)
    expect(shares).toMatchObject({ mmap: MANY, batches: 4 })
    await Promise.all(clients.map((client) => client.close()))
  })
})

describe('one at a time', () => {
  it('a share is one ALLOC, one mmap and one batch; an unshare one munmap, one DEALLOC and one batch', async () => {
    const work = await cost(async () => {
      for (let i = 0; i < 10; i++) await (await share()).unshare()
    })
    expect(work).toEqual({ ...none, allocate: 10, mmap: 10, munmap: 10, deallocate: 10, batches: 20 })
  })

  it('a forced unshare is no more than that', async () => {
    const grant = await share()
    const work = await cost(() => grant.unshare({ force: true }))
    expect(work).toEqual({ ...none, munmap: 1, deallocate: 1, batches: 1 })
  })

  it('filling, looking and asking for the state costs nothing', async () => {
    const grant = await share()
    const work = await cost(async () => {
      await grant.fill({ byte: 1 })
      grant.bytes[0] = 1
      await server.stats()
      return grant.handle()
    })
    expect(work).toEqual({ ...none, batches: 0 })
  })
})

it('a share that is aborted while the driver is at it leaves nothing mapped', async () => {
  await using xen = await SimulatedXen.create({ ioctlDelay: 20 })
  const slow = await GrantServer.open({ device: xen })
  const work = await cost(async () => {
    for (let i = 0; i < 10; i++) {
      const abort = new AbortController()
      const sharing = slow.share({ domid: 7, pages: 1, signal: abort.signal }).catch(() => {})
      // Long enough for the request to be on its way, and often for its turn to have begun.
      for (let turns = 0; turns < i * 4; turns++) await new Promise((resolve) => setImmediate(resolve))
      abort.abort()
      await sharing
    }
    while ((await slow.stats()).grants > 0) await new Promise((resolve) => setImmediate(resolve))
  }, slow)
  expect(work.mmap! - work.munmap!).toBe(0)
  await slow.close()
})
