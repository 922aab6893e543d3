// What a port of the device worker makes of somebody who does not speak its protocol, or speaks it in bad faith.
// XEN_GRANTS_SEED=n repeats the random part.
import { once } from 'node:events'
import fc from 'fast-check'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Grant, GrantClient, type GrantServer } from 'xen-grants'
import { MAX_BATCH, Op, ShareFlag } from '../../../dist/src/grants/grant-messages.js'
import { seedOf } from '../../agreement/seed.mjs'
import { RawClient } from '../../setup/raw-client.js'
import { useServer } from '../../setup/server.js'

const SEED = seedOf(process.env)

const world = useServer({ maxPages: 100 }, { limit: 1000 })
let server: GrantServer
let bystander: GrantClient
let grant: Grant

beforeAll(async () => {
  server = world.server
  // The bystander's is not among the small numbers, which the fuzzing tries.
  for (let i = 0; i < 50; i++) await (await server.share({ domid: 7, pages: 1 })).unshare()
})
beforeEach(async () => {
  bystander = await GrantClient.connect(server.connect())
  grant = await bystander.share({ domid: 7, pages: 2 })
  grant.bytes.fill(5)
})
afterEach(async () => {
  // Whatever has been sent: the worker lives, and nobody else has noticed.
  while ((await server.stats()).clients > 2) await new Promise((resolve) => setImmediate(resolve))
  expect(await server.stats()).toMatchObject({ grants: 1, pages: 2, waiting: 0 })
  expect(grant.bytes.every((byte) => byte === 5)).toBe(true)
  const other = await server.share({ domid: 8, pages: 1 })
  await other.unshare()
  await grant.unshare()
  await bystander.close()
})

const greeted = (): Promise<RawClient> => RawClient.greeted(server.connect())

describe('a port is closed on', () => {
  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a number', 5],
    ['another text', 'Hello'],
    ['an object of no kind', {}],
    ['a batch before the hello', [1, 1, 7, 1, 0, 0]],
    ['a call before the hello', { id: '1', type: 'APPLY', path: ['stats'], argumentList: [] }],
  ])('%s as its first message', async (_name, message) => {
    const client = new RawClient(server.connect())
    client.port.postMessage(message)
    await client.closed
  })

  const messages: [string, unknown][] = [
    ['another hello', 'hello'],
    ['null', null],
    ['nothing', undefined],
    ['a batch that is no array', new Float64Array(6)],
    ['a batch that is cut off', [1, 1, 7, 1, 0, 0, 2]],
    ['a batch that is too long', new Array((MAX_BATCH + 1) * 6).fill(0)],
    ['a batch that pretends', { length: 6, 0: 1, 1: 1, 2: 7, 3: 1, 4: 0, 5: 0 }],
    ['a port for calls that is none', { calls: { postMessage: 1 } }],
    ["comlink's message", { id: '1', type: 'APPLY', path: ['stats'], argumentList: [] }],
  ]
  it.each(messages)('%s, and what its client had goes back', async (_name, message) => {
    const client = await greeted()
    const answers = await client.submit([1, Op.share, 7, 3, 0, 0])
    expect(answers.get(1)).toBe('ok')
    client.port.postMessage(message)
    await client.closed
  })

  const calls: [string, object][] = [
    ['another type of message', { type: 'GET' }],
    ['a release', { type: 'RELEASE' }],
    ['a constructor', { type: 'CONSTRUCT' }],
    ['an assignment', { type: 'SET', path: ['stats'], value: { type: 'RAW', value: 1 } }],
    ['a number for an id', { id: 5 }],
    ['no path', { path: undefined }],
    ['an empty path', { path: [] }],
    ['a path that is text', { path: 'stats' }],
    ['a path into a method', { path: ['stats', 'constructor'] }],
    ['an unknown method', { path: ['close'] }],
    ['a method of every object', { path: ['toString'] }],
    ['the prototype', { path: ['__proto__'] }],
    ['a path that is no text', { path: [['stats']] }],
    ['no arguments', { argumentList: undefined }],
    ['arguments without end', { argumentList: new Array(2 ** 32 - 1) }],
    ['an argument', { argumentList: [{ type: 'RAW', value: 1 }] }],
  ]
  it.each(calls)('%s as a call, and its client goes on', async (_name, message) => {
    const client = await greeted()
    const port = client.calls()
    const closed = once(port, 'close')
    port.on('message', () => {})
    port.postMessage({ id: '1', type: 'APPLY', path: ['stats'], argumentList: [], ...message })
    await closed
    expect((await client.submit([1, Op.share, 7, 3, 0, 0])).get(1)).toBe('ok')
    await client.close()
  })
})

it('a batch may be as long as a batch may be', async () => {
  const client = await greeted()
  const requests = Array.from({ length: MAX_BATCH }, (_, id) => [id, Op.cancel, 0, 0, 0, 0])
  const answers = await client.submit(requests.flat())
  expect([answers.size, new Set(answers.values())]).toEqual([MAX_BATCH, new Set(['ok'])])
  await client.close()
})

describe('a request is refused with ERR_GRANTS_PROTOCOL', () => {
  const wrong = [-1, 0.5, Number.NaN, Infinity, -Infinity, 2 ** 53, Number.MAX_VALUE]
  const cases: [string, number[]][] = [
    ...[0, 9, -1, 1.5, Number.NaN, Infinity, 2 ** 31].map((op): [string, number[]] => [
      `operation ${op}`,
      [op, 1, 1, 0, 0],
    ]),
    ...wrong.map((domid): [string, number[]] => [`domid ${domid}`, [Op.share, domid, 1, 0, 0]]),
    ...[0x7ff0, 65_535].map((domid): [string, number[]] => [`domid ${domid}`, [Op.share, domid, 1, 0, 0]]),
    ...[0, 2 ** 20 + 1, ...wrong].map((pages): [string, number[]] => [
      `${pages} pages`,
      [Op.share, 7, pages, 0, 0],
    ]),
    ...[8, ...wrong].map((flags): [string, number[]] => [`flags ${flags}`, [Op.share, 7, 1, flags, 0]]),
    ...[0, ...wrong].flatMap((id): [string, number[]][] =>
      [Op.unshare, Op.attach, Op.detach, Op.setUnmapNotify, Op.requestUnshare].map((op) => [
        `grant ${id} for operation ${op}`,
        [op, id, 0, 0, 0],
      ]),
    ),
    ...[4, ...wrong].map((action): [string, number[]] => [
      `action ${action}`,
      [Op.setUnmapNotify, 1, 0, action, 0],
    ]),
    ...[2 ** 32, ...wrong].map((port): [string, number[]] => [
      `port ${port}`,
      [Op.setUnmapNotify, 1, 0, 2, port],
    ]),
    ...[0x7ff0, ...wrong].map((domid): [string, number[]] => [
      `looking for domain ${domid}`,
      [Op.domainExists, domid, 0, 0, 0],
    ]),
    ...wrong.map((id): [string, number[]] => [`withdrawing ${id}`, [Op.cancel, id, 0, 0, 0]]),
  ]
  it('for every number that is out of its range, and the rest of the batch is carried out', async () => {
    const client = await greeted()
    const numbers = cases.flatMap(([, request], i) => [i, ...request])
    const answers = await client.submit([...numbers, 1000, Op.cancel, 0, 0, 0, 0])
    for (const [i, [name]] of cases.entries())
      expect([name, answers.get(i)]).toEqual([name, 'ERR_GRANTS_PROTOCOL'])
    expect(answers.get(1000)).toBe('ok')
    await client.close()
  })

  it("for other clients' grants, unless attached to, and then for what is the owner's", async () => {
    const client = await greeted()
    const { id } = grant
    const one = await client.submit([
      ...[1, Op.unshare, id, 0, 0, 0],
      ...[2, Op.unshare, id, 1, 0, 0],
      ...[3, Op.setUnmapNotify, id, 0, 1, 0],
      ...[4, Op.requestUnshare, id, 0, 0, 0],
      ...[5, Op.attach, id, 0, 0, 0],
      ...[6, Op.unshare, id, 1, 0, 0],
      ...[7, Op.setUnmapNotify, id, 2 * 4096, 1, 0],
    ])
    const refused = 'ERR_GRANTS_PROTOCOL'
    expect([...one.entries()].sort(([a], [b]) => a - b).map(([, answer]) => answer)).toEqual([
      ...[refused, refused, refused, refused],
      'ok',
      ...[refused, refused],
    ])
    await client.close()
  })
})

describe('without harm to others, a client', () => {
  it('returns leases it does not hold, and withdraws what is not its own', async () => {
    const client = await greeted()
    const waiting = bystander.share({ domid: 7, pages: 99, wait: true })
    while ((await server.stats()).waiting === 0) await new Promise((resolve) => setImmediate(resolve))
    const requests = Array.from({ length: 100 }, (_, i) => [i + 1, Op.cancel, i, 0, 0, 0]).flat()
    await client.submit([...requests, 200, Op.detach, grant.id, 0, 0, 0, 201, Op.detach, grant.id, 0, 0, 0])
    expect(await server.stats()).toMatchObject({ waiting: 1, grants: 1 })
    await client.close()
    const closing = expect(waiting).rejects.toMatchObject({ code: 'ERR_GRANTS_CLOSED' })
    const other = await GrantClient.connect(server.connect())
    await bystander.close()
    await closing
    bystander = other
    grant = await other.share({ domid: 7, pages: 2 })
    grant.bytes.fill(5)
  })

  it('gives all its requests one number, waits with one of them, and goes', async () => {
    const client = await greeted()
    const one = [7, Op.share, 7, 99, ShareFlag.wait, 0]
    await client.submit(Array.from({ length: 50 }, () => one).flat())
    expect(await server.stats()).toMatchObject({ waiting: 1 })
    await client.close()
  })

  it('sends very many, and goes before they are answered', async () => {
    const client = await greeted()
    const value = Array.from(
      { length: MAX_BATCH * 6 },
      (_, i) => [i, Op.setUnmapNotify, grant.id, 0, 0, 0][i % 6]!,
    )
    for (let i = 0; i < 30; i++) client.port.postMessage(value)
    await (await bystander.share({ domid: 7, pages: 1 })).unshare()
    await client.close()
  })
})

describe('random', () => {
  const odd = fc.constantFrom(
    0,
    1,
    2,
    3,
    4,
    7,
    48,
    96,
    -1,
    0.5,
    Number.NaN,
    Infinity,
    2 ** 20,
    2 ** 31,
    2 ** 32,
    2 ** 53,
  )
  const number = fc.oneof(fc.nat(40), odd)
  const request = fc.tuple(
    number,
    fc.oneof(fc.integer({ min: 1, max: 7 }), odd),
    number,
    number,
    number,
    number,
  )

  it(`requests, in batches out of order (seed ${SEED})`, async () => {
    const property = fc.asyncProperty(
      fc.array(fc.array(request, { maxLength: 60 }), { maxLength: 8 }),
      async (batches) => {
        const client = await greeted()
        // Every one is answered, whatever becomes of its requests; those that wait are not waited for.
        for (const batch of batches) await client.submit(batch.flat())
        await client.close()
      },
    )
    await fc.assert(property, { seed: SEED, numRuns: 150 })
  })

  it(`messages of any shape (seed ${SEED})`, async () => {
    const message = fc.oneof(
      fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true }),
      fc.float64Array({ minLength: 6, maxLength: 12 }),
      fc.array(fc.oneof(fc.nat(8), fc.constantFrom('constructor', '__proto__'), fc.anything()), {
        minLength: 6,
        maxLength: 6,
      }),
      fc.constant('hello'),
      fc.record(
        {
          id: fc.oneof(fc.string(), fc.integer()),
          type: fc.constantFrom('APPLY', 'GET', 'SET', 'RELEASE', 'ENDPOINT', 'CONSTRUCT'),
          path: fc.array(fc.constantFrom('submit', 'stats', '__proto__', 'constructor')),
          argumentList: fc.array(fc.record({ type: fc.constant('RAW'), value: fc.float64Array() })),
        },
        { requiredKeys: [] },
      ),
    )
    const property = fc.asyncProperty(
      fc.array(message, { maxLength: 5 }),
      fc.boolean(),
      async (messages, hello) => {
        const client = hello ? await greeted() : new RawClient(server.connect())
        for (const each of messages) client.port.postMessage(each)
        await client.close()
      },
    )
    await fc.assert(property, { seed: SEED, numRuns: 300 })
  })
})
