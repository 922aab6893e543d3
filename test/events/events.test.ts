import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type EventChannel, EventChannels } from 'xen-grants'
import type { Counters } from 'xen-grants/simulated'
import { script } from '../setup/process.js'
import { rejection, useXen } from '../setup/xen.js'

const world = useXen(
  undefined,
  async (xen): Promise<[EventChannels, EventChannels]> => [
    await EventChannels.open({ device: xen }),
    await EventChannels.open({ device: xen.domain(7) }),
  ],
)
const key = Symbol.for('xen-grants.event-descriptor')
let here: EventChannels
let there: EventChannels

const bound: EventChannel[] = []

beforeEach(() => {
  ;[here, there] = world.opened
})
afterEach(() => Promise.all(bound.splice(0).map((channel) => channel.close())))

/** Two ends of one channel, with the event that binding causes already taken. */
async function pair(): Promise<[EventChannel, EventChannel]> {
  const near = await here.bindUnbound(7)
  const far = await there.bindInterdomain(0, near.port)
  await far.wait()
  bound.push(near, far)
  return [near, far]
}

/** The device of a domain through a module that wraps the simulated one. */
function standIn(domid: number, module: string): never {
  const descriptor = (world.xen.domain(domid) as unknown as Record<symbol, object>)[key]
  return { [key]: { ...descriptor, module } } as never
}

/** The end of a thread or a process is noticed a moment later. */
async function until(wanted: Partial<Counters>): Promise<void> {
  const matches = (counters: Counters): boolean =>
    Object.entries(wanted).every(([name, value]) => counters[name as keyof Counters] === value)
  while (!matches(await world.xen.counters())) await new Promise((resolve) => setImmediate(resolve))
}

describe('an event channel', () => {
  it('carries events both ways, to waiters, listeners and iterators', async () => {
    const [near, far] = await pair()
    near.notify()
    await far.wait()
    const event = once(near, 'event')
    far.notify()
    await event
    const seen: string[] = []
    const iterating = (async () => {
      for await (const _ of near) {
        seen.push('event')
        if (seen.length === 2) return
        far.notify()
      }
    })()
    far.notify()
    await iterating
    expect(seen).toEqual(['event', 'event'])
  })

  it('makes few events of many that come before the first is delivered, and loses none after it', async () => {
    const [near, far] = await pair()
    let events = 0
    far.on('event', () => events++)
    for (let i = 0; i < 100; i++) near.notify()
    await far.wait()
    // What was asked before is done by the time that another channel carries something both ways.
    const other = await pair()
    other[0].notify()
    await other[1].wait()
    // One for the first, and one for all that came while the port was masked.
    expect(events).toBeLessThanOrEqual(2)
    near.notify()
    await far.wait()
  })

  it('keeps an event for whoever waits next', async () => {
    const [near, far] = await pair()
    const other = await pair()
    near.notify()
    other[0].notify()
    await other[1].wait()
    await far.wait()
  })

  it('tells whoever waits when it is closed; an iteration just ends', async () => {
    const [near, far] = await pair()
    const waiting = rejection(near.wait())
    const iterating = (async () => {
      for await (const _ of near) expect.unreachable()
    })()
    const closed = once(near, 'close')
    await near.close()
    await near.close()
    await iterating
    await closed
    expect((await waiting).code).toBe('ERR_GRANTS_CLOSED')
    expect(() => near.notify()).toThrow(/closed/)
    far.notify()
    await far.close()
  })

  it('stops waiting when aborted, and is usable afterwards', async () => {
    const [near, far] = await pair()
    const controller = new AbortController()
    const waiting = near.wait({ signal: controller.signal })
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await rejection(waiting)).toBe(reason)
    far.notify()
    await near.wait()
  })
})

describe('binding', () => {
  it('refuses a port that is not waiting for this domain', async () => {
    const near = await here.bindUnbound(8)
    expect((await rejection(there.bindInterdomain(0, near.port))).code).toBe('EINVAL')
    expect((await rejection(there.bindInterdomain(0, 3000))).code).toBe('EINVAL')
  })

  it.each([
    ['bindUnbound', [-1]],
    ['bindUnbound', [65_536]],
    ['bindInterdomain', [0, 0]],
    ['bindInterdomain', [0, 2 ** 32]],
    ['bindVirq', [-1]],
    ['restrict', [1.5]],
  ] as const)('%s(%j) is out of range', async (method, args) => {
    const call = here[method].bind(here) as (...args: readonly number[]) => Promise<unknown>
    expect((await rejection(call(...args))).code).toBe('ERR_OUT_OF_RANGE')
  })

  it('is limited to one domain by restrict', async () => {
    await there.restrict(9)
    expect((await rejection(there.bindUnbound(7))).code).toBe('EACCES')
  })

  it('rejects once closed, and ends whoever waits', async () => {
    const near = await here.bindUnbound(7)
    const waiting = rejection(near.wait())
    await here.close()
    expect((await waiting).code).toBe('ERR_GRANTS_CLOSED')
    expect((await rejection(here.bindUnbound(7))).code).toBe('ERR_GRANTS_CLOSED')
  })
})

describe('opening', () => {
  /** A device of this thread's, for as long as it takes to abort. */
  const module = (start: string): string =>
    `data:text/javascript,${encodeURIComponent(`
      export const openEventLine = () => {
        const { log, controller } = globalThis.openingEvents
        return {
          path: 'x',
          file: null,
          start() { log.push('start'); ${start} },
          ref() {},
          unref() {},
          async close() { log.push('close') },
        }
      }`)}`

  it.each([
    ['is aborted', 'controller.abort(new Error("enough"))', /enough/],
    ['fails in the line', 'throw new Error("no pipe")', /no pipe/],
    ['fails in the worker', '', /joinEventDevice/],
  ])('that %s closes the file', async (_name, start, message) => {
    const [log, controller] = [[] as string[], new AbortController()]
    Object.assign(globalThis, { openingEvents: { log, controller } })
    const device = { [key]: { module: module(start), options: {}, path: 'x', simulated: true } } as never
    await expect(EventChannels.open({ device, signal: controller.signal })).rejects.toThrow(message)
    expect(log).toEqual(['start', 'close'])
  })
})

describe('an event loop', () => {
  it('answers a thousand times', async () => {
    const [near, far] = await pair()
    far.on('event', () => far.notify())
    for (let trip = 0; trip < 1000; trip++) {
      const answer = near.wait()
      near.notify()
      await answer
    }
    await Promise.all([near.close(), far.close()])
  })

  it('sends what a listener notifies before the port is unmasked', async () => {
    const module = new URL('../fixtures/logged-events.mjs', import.meta.url).href
    const log: string[] = []
    Object.assign(globalThis, { eventCalls: log })
    const logged = await EventChannels.open({ device: standIn(7, module) })
    const offered = await here.bindUnbound(7)
    const answering = await logged.bindInterdomain(0, offered.port)
    await answering.wait()
    answering.on('event', () => answering.notify())
    const answer = offered.wait()
    offered.notify()
    await answer
    await logged.close()
    // The first is of the event that comes of binding.
    expect(log).toEqual(['unmask', 'notify', 'unmask'])
  })

  it('is not broken by a listener that throws: the others are told, and its port fires again', async () => {
    const { code, stdout, stderr } = await script(`
      import { once } from 'node:events'
      import { EventChannels } from 'xen-grants'
      import { SimulatedXen } from 'xen-grants/simulated'
      const xen = await SimulatedXen.attach('${world.xen.path}')
      const here = await EventChannels.open({ device: xen })
      const there = await EventChannels.open({ device: xen.domain(7) })
      const pairs = []
      for (let i = 0; i < 2; i++) {
        const near = await here.bindUnbound(7)
        const far = await there.bindInterdomain(0, near.port)
        await far.wait()
        pairs.push({ near, far })
      }
      const thrown = []
      process.on('uncaughtException', ({ message }) => thrown.push(message))
      pairs[0].far.on('event', () => { throw new Error('listener broke') })
      for (let round = 0; round < 3; round++) {
        const other = pairs[1].far.wait()
        const broken = once(process, 'uncaughtException')
        for (const { near } of pairs) near.notify()
        await Promise.all([other, broken])
      }
      console.log(thrown.join())
      await here.close()
      await there.close()
      await xen.close()
    `)
    expect({ code, stdout: stdout.trim(), stderr }).toEqual({
      code: 0,
      stdout: 'listener broke,listener broke,listener broke',
      stderr: '',
    })
  })

  it('may be closed by a listener, before its port is unmasked', async () => {
    const [near, far] = await pair()
    const [stillNear, still] = await pair()
    const errors: unknown[] = []
    there.on('error', (error) => errors.push(error))
    const gone = new Promise<void>((resolve) => far.once('event', () => void far.close().then(resolve)))
    near.notify()
    await gone
    stillNear.notify()
    await still.wait()
    const closed = new Promise<void>((resolve) => still.once('event', () => void there.close().then(resolve)))
    stillNear.notify()
    await closed
    expect(errors).toEqual([])
    expect(await world.xen.counters()).toMatchObject({ files: 1, ports: 2 })
  })

  it('is kept alive by whoever waits, and by nobody else', async () => {
    const { code, stdout, stderr } = await script(`
      import { EventChannels } from 'xen-grants'
      import { SimulatedXen } from 'xen-grants/simulated'
      const xen = await SimulatedXen.attach('${world.xen.path}')
      const here = await EventChannels.open({ device: xen })
      const there = await EventChannels.open({ device: xen.domain(7) })
      const near = await here.bindUnbound(7)
      const far = await there.bindInterdomain(0, near.port)
      await far.wait()
      setTimeout(() => near.notify(), 20).unref()
      await far.wait()
      console.log('woken')
      setTimeout(() => console.log('never'), 60_000).unref()
    `)
    expect({ code, stdout: stdout.trim(), stderr }).toEqual({ code: 0, stdout: 'woken', stderr: '' })
    await until({ files: 2, ports: 0 })
  })
})

describe('a thread that ends', () => {
  it.each(['terminate', 'exit'] as const)('(%s) takes its event channels with it', async (how) => {
    const near = await here.bindUnbound(7)
    const worker = new Worker(new URL('../fixtures/event-thread.mjs', import.meta.url), {
      workerData: { path: world.xen.path, domid: 7, port: near.port },
      execArgv: [],
    })
    await once(worker, 'message')
    for (let trip = 0; trip < 3; trip++) {
      const answer = near.wait()
      near.notify()
      await answer
    }
    const exited = once(worker, 'exit')
    if (how === 'terminate') {
      near.notify()
      await worker.terminate()
    } else worker.postMessage('exit')
    await exited
    await until({ files: 2, ports: 1 })
  })

  it.each(['of an uncaught error', 'by leaving'])(
    'the worker, %s: everybody is told, and the ports are free',
    async (how) => {
      const module = new URL('../fixtures/mortal-events.mjs', import.meta.url).href
      const mortal = await EventChannels.open({ device: standIn(7, module) })
      const near = await here.bindUnbound(7)
      const far = await mortal.bindInterdomain(0, near.port)
      await far.wait()
      const [failed, closed] = [once(mortal, 'error'), once(mortal, 'close')]
      const waiting = rejection(far.wait())
      // Whether it is answered before the worker is gone is open.
      const dying = mortal.bindVirq(how === 'by leaving' ? 102 : 101).catch(() => {})
      expect((await waiting).code).toBe('ERR_GRANTS_WORKER_DIED')
      await dying
      await closed
      expect((await failed)[0]).toMatchObject({ code: 'ERR_GRANTS_WORKER_DIED' })
      expect(() => far.notify()).toThrow(expect.objectContaining({ code: 'ERR_GRANTS_WORKER_DIED' }))
      expect((await rejection(mortal.bindUnbound(7))).code).toBe('ERR_GRANTS_WORKER_DIED')
      await mortal.close()
      expect(await world.xen.counters()).toMatchObject({ files: 2, ports: 1 })
      near.notify()
    },
  )
})
