import { beforeEach, describe, expect, it } from 'vitest'
import { type Grant, GrantServer } from 'xen-grants'
import { rejection, useXen } from '../setup/xen.js'

const world = useXen(
  undefined,
  async (xen): Promise<[GrantServer]> => [
    await GrantServer.open({ device: xen, fillers: { threads: 1, inPlaceBelow: 0 } }),
  ],
)
let server: GrantServer

beforeEach(() => {
  ;[server] = world.opened
})

/** Every method that needs a live grant. */
const uses: [string, (grant: Grant) => unknown][] = [
  ['fill', (grant) => grant.fill({ byte: 1 })],
  [
    'fill from a stream',
    (grant) =>
      grant.fill(
        (async function* () {
          yield new Uint8Array(1)
        })(),
      ),
  ],
  ['run', (grant) => grant.run(new URL('../fixtures/filler.mjs', import.meta.url))],
  ['setUnmapNotify', (grant) => grant.setUnmapNotify({ clearByte: 1 })],
  ['createWriteStream', async (grant) => grant.createWriteStream()],
  ['handle', async (grant) => grant.handle()],
]

describe('unshare', () => {
  it.each([
    ['in order', false],
    ['by force', true],
  ])('%s leaves views that read zeros and swallow writes', async (_name, force) => {
    const grant = await server.share({ domid: 7, pages: 2 })
    const { bytes } = grant
    const words = new Uint32Array(bytes.buffer)
    bytes.fill(0xff)
    const mapped = await world.xen.domain(7).map(grant.refs)
    await grant.unshare({ force })
    expect([grant.bytes.length, bytes.every((byte) => byte === 0), words[9]]).toEqual([0, true, 0])
    bytes[0] = 2
    words[1] = 3
    // The peer still has the page, scrubbed.
    expect(mapped.bytes.every((byte) => byte === 0)).toBe(true)
    await mapped.unmap()
  })

  it('is idempotent, also while it is going on', async () => {
    const grant = await server.share({ domid: 7, pages: 1 })
    await Promise.all([grant.unshare(), grant.unshare(), grant.unshare({ force: true })])
    await grant.unshare()
    await grant[Symbol.asyncDispose]()
  })

  it('waits for a fill that is going on', async () => {
    const grant = await server.share({ domid: 7, pages: 512 })
    const mapped = await world.xen.domain(7).map(grant.refs)
    let filled = false
    const filling = grant.fill({ byte: 9 }).then(() => {
      filled = true
    })
    await grant.unshare()
    expect(filled).toBe(true)
    await filling
    await mapped.unmap()
  })

  it('aborted while it waits leaves the grant usable', async () => {
    const grant = await server.share({ domid: 7, pages: 1 })
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const filling = grant.fill(
      (async function* () {
        yield new Uint8Array([1])
        await held
        yield new Uint8Array([2])
      })(),
    )
    const controller = new AbortController()
    const unsharing = grant.unshare({ signal: controller.signal })
    const reason = new Error('not yet')
    controller.abort(reason)
    expect(await rejection(unsharing)).toBe(reason)
    release()
    await filling
    expect([...grant.bytes.subarray(0, 2)]).toEqual([1, 2])
    await grant.unshare()
  })

  it('scrubs what a peer still maps, unless told not to', async () => {
    await using careless = await GrantServer.open({ device: world.xen, scrub: false })
    for (const [owner, expected] of [
      [server, 0],
      [careless, 5],
    ] as const) {
      const grant = await owner.share({ domid: 7, pages: 1 })
      grant.bytes.fill(5)
      const mapped = await world.xen.domain(7).map(grant.refs)
      await grant.unshare()
      expect(mapped.bytes[100]).toBe(expected)
      await mapped.unmap()
    }
  })

  it.each(uses)('%s rejects afterwards', async (_name, use) => {
    const grant = await server.share({ domid: 7, pages: 1 })
    await grant.unshare()
    expect((await rejection((async () => use(grant))())).code).toBe('ERR_GRANTS_UNSHARED')
  })

  it("rejects with the driver's error when it fails, and can be tried again", async () => {
    for (const call of ['gntalloc.munmap', 'gntalloc.deallocate'] as const) {
      const grant = await server.share({ domid: 7, pages: 1 })
      await world.xen.failNext(call, 'EINVAL')
      expect(await rejection(grant.unshare())).toMatchObject({
        name: 'GrantError',
        code: 'EINVAL',
        errno: -22,
      })
      expect(grant.bytes.length).toBe(0)
      expect((await server.stats()).grants).toBe(1)
      await grant.unshare()
      expect((await server.stats()).grants).toBe(0)
    }
  })
})

describe('by force', () => {
  it('takes the pages back at once, whatever is going on', async () => {
    const grant = await server.share({ domid: 7, pages: 1 })
    const never = grant.fill({ [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) })
    const rejected = rejection(never)
    await grant.unshare({ force: true })
    expect((await rejected).code).toBe('ERR_GRANTS_UNSHARED')
    expect((await server.stats()).pages).toBe(0)
  })

  it('overtakes an orderly unshare that waits', async () => {
    const grant = await server.share({ domid: 7, pages: 1 })
    const filling = rejection(
      grant.fill({ [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }),
    )
    const orderly = grant.unshare()
    await grant.unshare({ force: true })
    await Promise.all([orderly, filling])
  })
})
