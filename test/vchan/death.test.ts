// Processes, threads, workers and domains that end in the middle, at either end.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { describe, expect, it, vi } from 'vitest'
import type { Xen } from 'xen-grants'
import { Vchan } from 'xen-grants/vchan'
import { GrantError } from '../../dist/src/errors.js'
import { Grant } from '../../dist/src/grants/grant.js'
import { useDomains } from '../setup/domains.js'
import { killers, mortalDomain } from '../setup/mortal-domain.js'
import { finished, node } from '../setup/process.js'
import { rejection, useXen } from '../setup/xen.js'
import { ended, failure } from './ends.js'
import { rawServer } from './raw-peer.js'

const world = useXen({ limit: 2048 })
const fixture = (name: string): URL => new URL(`../fixtures/${name}`, import.meta.url)
const PATH = 'data/vchan/5/test'
const SERVER = 3
const CLIENT = 5
const ROLES = ['server', 'client'] as const
type Role = (typeof ROLES)[number]

const { open, children } = useDomains(world)

function openEnd(role: Role, xen: Xen): Promise<Vchan> {
  if (role === 'client') return Vchan.connect(xen, { domid: SERVER, path: PATH })
  return Vchan.serve(xen, { domid: CLIENT, path: PATH, receiveBytes: 4096, sendBytes: 4096 })
}

/** Of the end that is not of this process. */
function peerOptions(role: Role, say: string, then?: string): object {
  const server = role === 'server'
  const domids = server ? { domid: SERVER, peer: CLIENT } : { domid: CLIENT, peer: SERVER }
  return { path: world.xen.path, role, ...domids, at: PATH, say, then }
}

const otherOf = (role: Role): Role => (role === 'server' ? 'client' : 'server')
const domidOf = (role: Role): number => (role === 'server' ? SERVER : CLIENT)

async function whole(stream: Vchan): Promise<string> {
  let all = ''
  for await (const chunk of stream) all += chunk
  return all
}

describe.each(ROLES)('when the process of the %s', (role) => {
  const here = otherOf(role)
  function start(say: string, then?: string): ChildProcess {
    const child = node(fileURLToPath(fixture('vchan-peer.mjs')), JSON.stringify(peerOptions(role, say, then)))
    children.push(child)
    return child
  }

  it('is killed, what it has written is read, and then comes the end', async () => {
    const child = start('x'.repeat(4000))
    const real = await openEnd(here, await open(domidOf(here)))
    await once(child.stdout!, 'data')
    const killed = finished(child)
    child.kill('SIGKILL')
    await killed
    expect(await whole(real)).toBe('x'.repeat(4000))
    await ended(real)
  })

  it('calls process.exit() while both ends write, the other one sees a beginning of it and the end', async () => {
    const child = start('x', 'exit')
    const real = await openEnd(here, await open(domidOf(here)))
    const errors: unknown[] = []
    real.on('error', (error) => errors.push(error))
    let heard = ''
    real.on('data', (chunk) => {
      heard += chunk
      if (!real.destroyed) real.write(chunk)
    })
    const { code, stderr } = await finished(child)
    expect([code, stderr]).toEqual([3, ''])
    await ended(real)
    expect(heard).toMatch(/^xy*$/)
    for (const error of errors)
      expect(error).toMatchObject({ code: expect.stringMatching(/EPIPE|ECONNRESET/) })
  })
})

it.each(ROLES)(
  'a thread that is terminated as the %s leaves the other end with a beginning and the end',
  async (role) => {
    const here = otherOf(role)
    const thread = new Worker(fixture('vchan-peer.mjs'), { workerData: peerOptions(role, 'x', 'busy') })
    const said = once(thread, 'message')
    const real = await openEnd(here, await open(domidOf(here)))
    await said
    const heard = whole(real)
    while (real.bytesRead < 10_000) await new Promise((resolve) => setImmediate(resolve))
    await thread.terminate()
    expect(await heard).toMatch(/^xy+$/)
    await ended(real)
  },
)

it.each(ROLES)(
  'a domain that is destroyed as the %s resets the other end, and crashes no program',
  async (role) => {
    const warnings: Error[] = []
    const warned = (warning: Error): void => void warnings.push(warning)
    process.on('warning', warned)
    const xens = { server: await open(SERVER), client: await open(CLIENT) }
    const [server, client] = await Promise.all([
      openEnd('server', xens.server),
      openEnd('client', xens.client),
    ])
    const both = { server, client }
    const outcome = failure(both[otherOf(role)])
    const own = failure(both[role])
    await world.xen.domain(domidOf(role)).destroy()
    expect(await outcome).toMatchObject({
      code: 'ECONNRESET',
      domid: domidOf(role),
      message: expect.stringContaining('the domain has been destroyed'),
    })
    expect(await own).toBeInstanceOf(Error)
    process.off('warning', warned)
    // Nobody listens to the parts of the domain that is gone.
    for (const { message } of warnings) expect(message).not.toContain('MaxListeners')
  },
)

it('a domain that is destroyed resets the client of a server that makes no node of its own, as on libxenvchan', async () => {
  const xen = await open(SERVER)
  for (const part of [await xen.grants(), await xen.events()]) part.on('error', () => {})
  await rawServer(xen)
  const client = await openEnd('client', await open(CLIENT))
  const outcome = failure(client)
  // Not before do its keys mean anything.
  while ((await world.xen.counters()).storeWatches === 0)
    await new Promise((resolve) => setTimeout(resolve, 10))
  // Its first event comes after it.
  await (await (await open(CLIENT)).store()).domid()
  await world.xen.domain(SERVER).destroy()
  expect(await outcome).toMatchObject({ code: 'ECONNRESET', domid: SERVER })
})

/** A server that waits for a client of domain 5. */
async function waitingServer(): Promise<{ refusal: Promise<Error>; left: () => Promise<boolean> }> {
  const xen = await open(SERVER)
  const refusal = rejection(openEnd('server', xen))
  const store = await xen.store()
  const offered = store.waitFor(`${PATH}/ring-ref`, (value) => value !== undefined)
  await Promise.race([offered, refusal])
  return { refusal, left: () => store.exists(PATH) }
}

it('a server that waits for a client stops when its domain is destroyed, and nothing is left', async () => {
  const { refusal, left } = await waitingServer()
  await world.xen.domain(CLIENT).destroy()
  // Whether it has been seen alive depends on which was sooner.
  expect(await refusal).toMatchObject({ code: expect.stringMatching(/^(ECONNRESET|ESRCH)$/), domid: CLIENT })
  expect(await left()).toBe(false)
})

it('a server that waits for a client of no domain stops', async () => {
  await world.xen.domain(CLIENT).destroy()
  const { refusal, left } = await waitingServer()
  expect(await refusal).toMatchObject({ code: 'ESRCH', domid: CLIENT })
  expect(await left()).toBe(false)
})

describe('when the worker', () => {
  it.each([
    ['server', 'grants'],
    ['server', 'events'],
    ['client', 'mapper'],
    ['client', 'events'],
  ] as const)(
    'of a %s that has its %s dies, the stream says so and the other end ends',
    async (role, part) => {
      const mortal = await open(domidOf(role), mortalDomain(world.xen, domidOf(role)))
      const other = await open(domidOf(otherOf(role)))
      const xens = role === 'server' ? [mortal, other] : [other, mortal]
      const ends = await Promise.all([openEnd('server', xens[0]!), openEnd('client', xens[1]!)])
      const [dying, far] = role === 'server' ? ends : [ends[1], ends[0]]
      const warned = once(process, 'warning')
      // Full rings both ways while it happens: what replaces their pages is no data.
      let heard = ''
      dying.on('data', (chunk) => {
        heard += chunk
      })
      const flow = (error?: Error | null): void => {
        if (!error && !far.writableEnded) far.write(Buffer.alloc(3000, 'x'), flow)
      }
      far.on('error', () => {})
      flow()
      while (heard.length < 10_000) await new Promise((resolve) => setImmediate(resolve))
      const outcome = failure(dying)
      await killers[part](mortal)
      expect(await outcome).toMatchObject({ code: 'ERR_GRANTS_WORKER_DIED' })
      await ended(far)
      expect(heard).toMatch(/^x+$/)
      // Nobody else listens to the part.
      expect((await warned)[0]).toMatchObject({ code: 'ERR_GRANTS_WORKER_DIED' })
    },
  )

  it.each(['grants', 'events'] as const)(
    'of a server that waits and has its %s dies, it stops waiting',
    async (part) => {
      const xen = await open(SERVER, mortalDomain(world.xen, SERVER))
      const serving = rejection(openEnd('server', xen))
      const store = await xen.store()
      await store.waitFor(`${PATH}/ring-ref`, (value) => value !== undefined)
      const warned = once(process, 'warning')
      await killers[part](xen)
      expect((await serving).code).toBe('ERR_GRANTS_WORKER_DIED')
      expect(await store.exists(PATH)).toBe(false)
      await warned
    },
  )

  it('of a server that has its events dies before its pages name the port, it says so', async () => {
    const xen = await open(SERVER, mortalDomain(world.xen, SERVER))
    const store = await xen.store()
    const warned = once(process, 'warning')
    const setUnmapNotify = vi.spyOn(Grant.prototype, 'setUnmapNotify').mockImplementationOnce(async () => {
      await store.waitFor(`${PATH}/ring-ref`, (value) => value !== undefined)
      await killers.events(xen)
      await warned
      throw new GrantError('EINVAL', 'no such port')
    })
    expect((await rejection(openEnd('server', xen))).code).toBe('ERR_GRANTS_WORKER_DIED')
    setUnmapNotify.mockRestore()
    expect(await store.exists(PATH)).toBe(false)
  })
})

describe('when', () => {
  it.each([
    ['server', 'grants'],
    ['server', 'events'],
    ['client', 'mapper'],
    ['client', 'events'],
  ] as const)('a %s closes its own %s, the stream says so and the other end ends', async (role, part) => {
    const xens = { server: await open(SERVER), client: await open(CLIENT) }
    const [server, client] = await Promise.all([
      openEnd('server', xens.server),
      openEnd('client', xens.client),
    ])
    const both = { server, client }
    const far = ended(both[otherOf(role)].on('error', () => {}))
    const outcome = failure(both[role])
    await (await xens[role][part]()).close()
    expect(await outcome).toMatchObject({ code: expect.stringMatching(/^ERR_GRANTS_(CLOSED|UNSHARED)$/) })
    await far
  })

  it('the connection to xenstore ends, streams go on', async () => {
    const xens = { server: await open(SERVER), client: await open(CLIENT) }
    const [server, client] = await Promise.all([
      openEnd('server', xens.server),
      openEnd('client', xens.client),
    ])
    // It has withdrawn its keys by then.
    const store = await xens.server.store()
    await store.waitFor(`${PATH}/ring-ref`, (value) => value === undefined)
    await Promise.all([store.close(), (await xens.client.store()).close()])
    server.end('still here')
    expect(await whole(client)).toBe('still here')
    await Promise.all([ended(server), ended(client)])
  })
})
