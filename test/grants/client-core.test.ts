// A thread's client, with this test as the device worker at the other end of its port.
import { getEventListeners } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { MessagePort } from 'node:worker_threads'
import * as Comlink from 'comlink'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { GrantError } from '../../src/errors.js'
import { FillerPool } from '../../src/fill/pool.js'
import { ClientCore } from '../../src/grants/client-core.js'
import { Op, type Reply, type SessionEvent, type SessionMessage } from '../../src/grants/grant-messages.js'
import { openPort } from '../../src/grants/session-port.js'

const { handedOver } = vi.hoisted(() => ({ handedOver: [] as SharedArrayBuffer[][] }))
vi.mock('../../src/threads/orphans.js', () => ({
  handOver: async (orphans: SharedArrayBuffer[]) => void handedOver.push(orphans),
}))

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const PAGE = 4096
const open: MessagePort[] = []
afterEach(() => {
  for (const port of open.splice(0)) port.close()
  vi.restoreAllMocks()
})

/** Answers requests at once, with grants of one page, unless it is told to hold back. */
class FakeWorker {
  readonly log: string[] = []
  /** How many requests came together. */
  readonly batches: number[] = []
  holdBack = false
  givesBack = true
  hungUp = false
  readonly #port: MessagePort
  #held: number[][] = []
  #grants = 0

  constructor(port: MessagePort) {
    this.#port = port
    open.push(port)
    port.on('close', () => {
      this.hungUp = true
    })
    port.on('message', (message: SessionMessage) => {
      if (message === 'hello')
        this.say({ type: 'welcome', server: 's', maxQueue: 100, deviceThread: 0, serverThread: 2 ** 30 })
      else if (!Array.isArray(message)) this.#serve(message.calls)
      else {
        this.batches.push(message.length / 6)
        for (let at = 0; at < message.length; at += 6) this.#take(message.slice(at, at + 6))
      }
    })
  }

  #serve(port: MessagePort): void {
    open.push(port)
    Comlink.expose({ stats: () => ({ value: { grants: this.#grants } }) }, port as Comlink.Endpoint)
  }

  say(event: Reply | SessionEvent): void {
    this.#port.postMessage(event)
  }

  letGo(): void {
    this.holdBack = false
    for (const request of this.#held.splice(0)) this.#take(request)
  }

  hangUp(): void {
    this.#port.close()
  }

  #take(request: number[]): void {
    const [id, op, a] = request as [number, number, number]
    if (this.holdBack && op === Op.share) {
      this.#held.push(request)
      return
    }
    if (!this.givesBack && op === Op.unshare) return
    const name = Object.entries(Op).find(([, number]) => number === op)![0]
    this.log.push(`${name} ${a}`)
    const buffers = op === Op.share || op === Op.attach ? [new SharedArrayBuffer(PAGE)] : []
    const values: Record<number, number[]> = {
      [Op.share]: [0, this.#grants + 1, 8],
      [Op.attach]: [0, 7, 1, 1, 8],
    }
    const answer = values[op] ?? []
    if (op === Op.share) this.#grants++
    this.say([[id, answer.length, ...answer], buffers, []])
  }
}

async function setUp(): Promise<{ client: ClientCore; worker: FakeWorker }> {
  let worker: FakeWorker | undefined
  const port = openPort((end) => {
    worker = new FakeWorker(end)
  })
  return { client: await ClientCore.connect(port, { threads: 1 }, undefined), worker: worker! }
}

/** What has been said so far has arrived, and been answered. */
async function exchanged(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve))
}

const died = new GrantError('ERR_GRANTS_WORKER_DIED', 'died')
const share = (client: ClientCore, signal?: AbortSignal) =>
  client.share({ domid: 7, pages: 1, ...(signal && { signal }) })

describe('a share', () => {
  it('keeps no listener on its signal, whichever way it ends', async () => {
    const { client, worker } = await setUp()
    const { signal } = new AbortController()
    for (let i = 0; i < 20; i++) await share(client, signal)
    expect(getEventListeners(signal, 'abort')).toEqual([])
    worker.holdBack = true
    const lost = share(client, signal)
    void client.lose(died)
    await expect(lost).rejects.toBe(died)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('that is aborted is withdrawn once, and a grant that comes all the same goes back', async () => {
    const { client, worker } = await setUp()
    worker.holdBack = true
    const stop = new AbortController()
    const reason = new Error('enough')
    const sharing = share(client, stop.signal)
    await exchanged()
    stop.abort(reason)
    await expect(sharing).rejects.toBe(reason)
    await exchanged()
    worker.letGo()
    await exchanged()
    expect(worker.log).toEqual(['cancel 1', 'share 7', 'unshare 1'])
    await client.close(false)
  })

  it('on its way is withdrawn by close(), and one that has settled is not', async () => {
    const { client, worker } = await setUp()
    await share(client)
    worker.holdBack = true
    const waiting = share(client)
    const closed = client.close(false)
    await exchanged()
    expect(worker.log.filter((entry) => entry.startsWith('cancel'))).toHaveLength(1)
    worker.letGo()
    await Promise.all([waiting, closed])
    expect(worker.log.filter((entry) => entry.startsWith('unshare'))).toEqual(['unshare 1', 'unshare 2'])
  })
})

describe('a client', () => {
  it('adds up its fills', async () => {
    const { client } = await setUp()
    const grant = await share(client)
    for (const length of [100, 20]) await grant.fill(new Uint8Array(length))
    expect(await client.stats()).toMatchObject({
      fills: { count: 2, bytes: 120 },
      shareLatency: { count: 1 },
      grants: 1,
    })
    await client.close(false)
  })

  it('keeps no grant that is gone', async () => {
    const { client } = await setUp()
    const grants = await Promise.all([1, 2, 3].map(() => share(client)))
    const left = grants.splice(0).map((grant) => ({ ended: grant.unshare(), grant: new WeakRef(grant) }))
    for (const { ended } of left) await ended
    while (left.some(({ grant }) => grant.deref() !== undefined)) {
      await exchanged()
      collect()
    }
    await client.close(false)
  })

  it('sends what is asked in one turn together, up to as much as the worker takes at once', async () => {
    const { client, worker } = await setUp()
    const grant = await share(client)
    await Promise.all(Array.from({ length: 2500 }, () => client.attach(grant.handle())))
    expect(worker.batches).toEqual([1, 1024, 1024, 452])
    await client.close(true)
  })

  it('that closes ends its filler threads before it hangs up', async () => {
    const { client, worker } = await setUp()
    const hungUp: boolean[] = []
    vi.spyOn(FillerPool.prototype, 'close').mockImplementation(async () => {
      await exchanged()
      hungUp.push(worker.hungUp)
    })
    await client.close(false)
    await exchanged()
    expect([hungUp[0], worker.hungUp]).toEqual([false, true])
  })
})

describe('the death of the device worker', () => {
  it('leaves the memory of its grants to who takes care of it, also that of a share given up too late', async () => {
    const { client, worker } = await setUp()
    await share(client)
    for (const back of [true, false]) {
      worker.holdBack = true
      const stop = new AbortController()
      const given = share(client, stop.signal)
      await exchanged()
      stop.abort(new Error('enough'))
      await expect(given).rejects.toThrow('enough')
      worker.givesBack = back
      worker.letGo()
      await exchanged()
    }
    handedOver.length = 0
    await client.lose(died)
    // That of the grant, and that of which nobody knows whether it is back.
    expect(handedOver.map(({ length }) => length)).toEqual([2])
  })

  it('is told to all that wait, empties views, and ends filler threads that nothing runs in', async () => {
    const { client, worker } = await setUp()
    const closing = vi.spyOn(FillerPool.prototype, 'close')
    const grant = await share(client)
    let finish = (): void => {}
    const held = new Promise<void>((resolve) => {
      finish = resolve
    })
    const filling = grant.fill(
      (async function* () {
        yield new Uint8Array(1)
        await held
      })(),
    )
    filling.catch(() => {})
    worker.holdBack = true
    const waiting = share(client)
    worker.hangUp()
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_GRANTS_WORKER_DIED' })
    await expect(filling).rejects.toMatchObject({ code: 'ERR_GRANTS_WORKER_DIED' })
    expect([grant.bytes.length, client.lost]).toEqual([0, true])
    finish()
    await exchanged()
    expect(closing).toHaveBeenCalledTimes(1)
  })

  it('leaves nothing to be closed, or asked for', async () => {
    const { client, worker } = await setUp()
    worker.hangUp()
    await exchanged()
    await expect(client.stats()).rejects.toMatchObject({ code: 'ERR_GRANTS_WORKER_DIED' })
    await expect(share(client)).rejects.toMatchObject({ code: 'ERR_GRANTS_WORKER_DIED' })
    await client.close(true)
  })
})

const handleOf = (id: number) =>
  ({ type: 'xen-grants.handle', server: 's', id, domid: 7, pages: 1, writable: true }) as const

describe('a thread that attaches', () => {
  it('returns one lease for each, once', async () => {
    const { client, worker } = await setUp()
    const handle = handleOf(5)
    const [one, other] = await Promise.all([client.attach(handle), client.attach(handle)])
    expect(one).toMatchObject({ id: 5, domid: 7, pages: 1, writable: true })
    await Promise.all([one!.unshare(), one!.unshare(), one!.unshare({ force: true })])
    await one!.unshare()
    expect(other!.bytes.length).toBe(PAGE)
    await client.close(false)
    expect(worker.log).toEqual(['attach 5', 'attach 5', 'detach 5', 'detach 5'])
  })

  it('loses every grant of an id that is taken back, and no other', async () => {
    const { client, worker } = await setUp()
    const grants = await Promise.all([5, 5, 6].map((id) => client.attach(handleOf(id))))
    worker.say({ type: 'revoked', id: 5 })
    await exchanged()
    expect(grants.map(({ bytes }) => bytes.length)).toEqual([0, 0, PAGE])
    await client.close(false)
    expect(worker.log.at(-1)).toBe('detach 6')
  })

  it('too late, while its client closes, returns the lease', async () => {
    const { client, worker } = await setUp()
    const handle = handleOf(5)
    // Something that keeps the close waiting.
    worker.holdBack = true
    const waiting = share(client)
    const attaching = client.attach(handle)
    const closed = client.close(false)
    await expect(attaching).rejects.toMatchObject({ code: 'ERR_GRANTS_CLOSED' })
    await exchanged()
    expect(worker.log.filter((entry) => entry.includes('tach'))).toEqual(['attach 5', 'detach 5'])
    worker.letGo()
    await Promise.all([waiting, closed])
  })
})

describe('a server that asks', () => {
  it('for a grant back has it unshared, and closing ends the client', async () => {
    const { client, worker } = await setUp()
    const grants = await Promise.all([share(client), share(client)])
    worker.say({ type: 'unshare-requested', id: grants[0]!.id })
    await exchanged()
    expect(grants.map(({ bytes }) => bytes.length)).toEqual([0, PAGE])
    worker.say({ type: 'closing' })
    await exchanged()
    expect(grants[1]!.bytes.length).toBe(0)
    await expect(share(client)).rejects.toMatchObject({ code: 'ERR_GRANTS_CLOSED' })
    await client.close(false)
  })

  it('to close, and then goes, has not died', async () => {
    const { client, worker } = await setUp()
    worker.holdBack = true
    const waiting = share(client)
    worker.say({ type: 'closing' })
    worker.hangUp()
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_GRANTS_CLOSED' })
    await client.close(false)
  })
})
