import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type EventChannel, EventChannels } from 'xen-grants'
import { rejection, useXen } from './setup/xen.js'

const world = useXen()
let here: EventChannels
let there: EventChannels

beforeEach(async () => {
  here = await EventChannels.open({ device: world.xen })
  there = await EventChannels.open({ device: world.xen.domain(7) })
})
afterEach(async () => {
  await here.close()
  await there.close()
})

/** Two ends of one channel, with the event that binding causes already taken. */
async function pair(): Promise<[EventChannel, EventChannel]> {
  const near = await here.bindUnbound(7)
  const far = await there.bindInterdomain(0, near.port)
  await far.wait()
  return [near, far]
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

  it('makes one event of many that come before the first is delivered, and loses none after it', async () => {
    const [near, far] = await pair()
    for (let i = 0; i < 100; i++) near.notify()
    await far.wait()
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
