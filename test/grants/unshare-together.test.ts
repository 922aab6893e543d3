// Several callers want the same grant back, and some of them lose patience.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Grant, GrantClient, GrantServer } from 'xen-grants'
import { rejection, useXen } from '../setup/xen.js'

const world = useXen(
  undefined,
  async (xen): Promise<[GrantServer]> => [
    await GrantServer.open({ device: xen, fillers: { threads: 1, abortGrace: 5 } }),
  ],
)
let server: GrantServer
let client: GrantClient
let grant: Grant
let lease: Grant

beforeEach(async () => {
  ;[server] = world.opened
  client = await GrantClient.connect(server.connect())
  grant = await server.share({ domid: 7, pages: 2 })
  lease = await client.attach(grant.handle())
})
afterEach(async () => {
  await client.close()
  await grant.unshare({ force: true })
})

/** Keeps the pages of a grant in use until it is called. */
function use(one: Grant): () => void {
  let end = (): void => {}
  const source = (async function* () {
    yield new Uint8Array(1)
    await new Promise<void>((resolve) => {
      end = resolve
    })
  })()
  void one.fill(source).catch(() => {})
  return () => end()
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

describe('two that unshare', () => {
  it('of which one is aborted: the other gets what it wants', async () => {
    const controller = new AbortController()
    const impatient = rejection(grant.unshare({ signal: controller.signal }))
    const patient = grant.unshare()
    controller.abort(new Error('too long'))
    expect((await impatient).message).toBe('too long')
    await lease.unshare()
    await patient
    expect((await server.stats()).grants).toBe(0)
  })

  it('and are both aborted: each hears its own reason, and the grant lives', async () => {
    const [one, other] = [new AbortController(), new AbortController()]
    const first = rejection(grant.unshare({ signal: one.signal }))
    const second = rejection(grant.unshare({ signal: other.signal }))
    one.abort(new Error('one'))
    other.abort(new Error('other'))
    expect([(await first).message, (await second).message]).toEqual(['one', 'other'])
    await grant.fill({ byte: 3 })
    expect(lease.bytes[0]).toBe(3)
  })

  it('while the first is just giving up: the second does not hear of that', async () => {
    const controller = new AbortController()
    const impatient = rejection(grant.unshare({ signal: controller.signal }))
    await turns()
    controller.abort(new Error('too long'))
    const patient = grant.unshare()
    expect((await impatient).message).toBe('too long')
    await lease.unshare()
    await patient
    expect(grant.bytes.length).toBe(0)
  })

  it('and a close of the server: an abort of the first does not cut short what runs', async () => {
    await lease.unshare()
    const end = use(grant)
    const controller = new AbortController()
    const impatient = rejection(grant.unshare({ signal: controller.signal }))
    let closed = false
    const closing = server.close().then(() => {
      closed = true
    })
    await turns()
    controller.abort(new Error('too long'))
    expect((await impatient).message).toBe('too long')
    await turns()
    expect(closed).toBe(false)
    end()
    await client.close()
    await closing
  })
})

describe('a lease', () => {
  it('is not returned when its unshare is aborted while something runs in it', async () => {
    const end = use(lease)
    const controller = new AbortController()
    const impatient = rejection(lease.unshare({ signal: controller.signal }))
    await turns()
    controller.abort(new Error('too long'))
    expect((await impatient).message).toBe('too long')
    end()
    await lease.fill({ byte: 5 })
    expect(grant.bytes[0]).toBe(5)
    await lease.unshare()
    await lease.unshare()
    await grant.unshare()
  })

  it('is returned by force at once', async () => {
    use(lease)
    await Promise.all([lease.unshare({ force: true }), lease.unshare()])
    expect(lease.bytes.length).toBe(0)
    await grant.unshare()
  })
})

it('options are read once: a getter that answers differently the second time changes nothing', async () => {
  await lease.unshare()
  let reads = 0
  const options = {
    get signal() {
      return reads++ === 0 ? undefined : ('not a signal' as never)
    },
  }
  await grant.unshare(options)
  expect(reads).toBe(1)
})
