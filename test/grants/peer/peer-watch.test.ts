// What wakes a granter that waits for its peer, while no timer ever fires.
import { getEventListeners } from 'node:events'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { EventChannel } from '../../../src/events/event-channel.js'
import type { Deferred } from '../../../src/grants/peer/deferred-pages.js'
import { PeerWatch } from '../../../src/grants/peer/peer-watch.js'
import { StatusPages } from '../../../src/grants/peer/status-pages.js'
import { dependants } from '../../setup/dependants.js'

const { delays } = vi.hoisted(() => ({
  delays: [] as { ms: number; resolve: () => void; signal: AbortSignal }[],
}))

vi.mock('../../../src/abort.js', async (original) => ({
  ...(await original<typeof import('../../../src/abort.js')>()),
  pause: (ms: number, signal: AbortSignal) =>
    new Promise<void>((resolve) => delays.push({ ms, resolve, signal })),
}))

beforeEach(() => {
  delays.length = 0
})

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function setUp({ fails = 0 } = {}) {
  const bytes = new Uint8Array(4096)
  const log: string[] = []
  const unshare = async (): Promise<void> => void log.push('status page back')
  let shares = 0
  const pages = new StatusPages(async () => {
    if (shares++ < fails) throw new Error('no room')
    return { refs: Uint32Array.of(8), bytes, unshare }
  })
  const deferred = { add: (count: number) => log.push(`${count} deferred`) } as unknown as Deferred
  const world: { exists: boolean | undefined; asked: number } = { exists: true, asked: 0 }
  const watch = new PeerWatch(pages, deferred, async () => {
    world.asked++
    return world.exists
  })
  return { bytes, log, world, watch }
}

const AT_ONCE = { wait: false, signal: undefined }

class FakeChannel {
  readonly port = 5
  readonly waits: { wake: () => void; signal: AbortSignal }[] = []
  wait({ signal }: { signal: AbortSignal }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waits.push({ wake: resolve, signal })
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  }
}

describe('a granter that waits', () => {
  it('is woken by an event, without a poll', async () => {
    const { bytes, watch } = setUp()
    const channel = new FakeChannel()
    const { offset, port } = await watch.status(7, channel as unknown as EventChannel, AT_ONCE)
    expect(port).toBe(5)
    bytes.set([1, 1], offset)
    const released = watch.released(undefined)
    await turn()
    expect(channel.waits).toHaveLength(1)
    // It was for something else.
    channel.waits[0]!.wake()
    await turn()
    expect(channel.waits).toHaveLength(2)
    bytes[offset] = 0
    channel.waits[1]!.wake()
    expect(await released).toBe('released')
    expect(delays.map(({ ms, signal }) => [ms, signal.aborted])).toEqual([
      [250, true],
      [250, true],
    ])
    expect(channel.waits.every(({ signal }) => signal.aborted)).toBe(true)
  })

  it('looks oftener where nothing wakes it', async () => {
    const { bytes, watch } = setUp()
    const { offset, ...status } = await watch.status(7, undefined, AT_ONCE)
    expect(status).toEqual({ ref: 8 })
    bytes.set([1, 1], offset)
    const released = watch.released(undefined)
    await turn()
    bytes[offset] = 0
    expect(delays.map(({ ms }) => ms)).toEqual([20])
    delays[0]!.resolve()
    expect(await released).toBe('released')
  })

  it('keeps no listener on its signal, and stops waiting when that fires', async () => {
    const { bytes, watch } = setUp()
    const channel = new FakeChannel()
    const { offset } = await watch.status(7, channel as unknown as EventChannel, AT_ONCE)
    bytes.set([1, 1], offset)
    const stop = new AbortController()
    const released = watch.released(stop.signal)
    for (let i = 0; i < 5; i++) {
      await turn()
      channel.waits.at(-1)!.wake()
    }
    await turn()
    expect(getEventListeners(stop.signal, 'abort').length).toBeLessThan(3)
    expect(dependants(stop.signal)).toBe(0)
    const reason = new Error('enough')
    stop.abort(reason)
    await expect(released).rejects.toBe(reason)
    expect(channel.waits.at(-1)!.signal.aborted).toBe(true)
  })

  it.each([
    [false, 'released'],
    [undefined, undefined],
    [true, undefined],
  ] as const)('asks once a second whether the domain exists (%s: %s)', async (exists, state) => {
    const now = vi.spyOn(performance, 'now').mockReturnValue(0)
    const { bytes, watch, world } = setUp()
    const { offset } = await watch.status(7, undefined, AT_ONCE)
    bytes.set([1, 1], offset)
    const stop = new AbortController()
    const released = watch.released(stop.signal)
    released.catch(() => {})
    await turn()
    for (const time of [500, 999]) {
      now.mockReturnValue(time)
      delays.at(-1)!.resolve()
      await turn()
    }
    expect(world.asked).toBe(1)
    world.exists = exists
    now.mockReturnValue(1000)
    delays.at(-1)!.resolve()
    await turn()
    expect([world.asked, watch.state]).toEqual([2, state ?? 'mapped'])
    stop.abort()
    now.mockRestore()
  })
})

describe('an offer', () => {
  it('that has failed can be made again, and is one slot however often it is made', async () => {
    const { watch } = setUp({ fails: 2 })
    for (let i = 0; i < 2; i++) await expect(watch.status(7, undefined, AT_ONCE)).rejects.toThrow('no room')
    const offers = await Promise.all([
      watch.status(7, undefined, AT_ONCE),
      watch.status(7, undefined, AT_ONCE),
    ])
    expect(offers[0]).toEqual(offers[1])
    expect(watch.state).toBe('never mapped')
  })
})

describe('the end of a watched grant', () => {
  it.each([
    [[0, 0], ['status page back']],
    [[0, 1], ['status page back']],
    [[1, 1], ['3 deferred']],
  ])('whose peer says %j', async (says, expected) => {
    const { bytes, log, watch } = setUp()
    const { offset } = await watch.status(7, undefined, AT_ONCE)
    bytes.set(says, offset)
    watch.end(3)
    await watch.ended()
    expect([log, watch.state]).toEqual([expected, 'unknown'])
  })

  it('gives the status page back that comes after it', async () => {
    const { log, watch } = setUp()
    const status = watch.status(7, undefined, AT_ONCE)
    watch.end(3)
    await expect(status).rejects.toMatchObject({ code: 'ERR_GRANTS_UNSHARED' })
    expect(log).toEqual(['status page back'])
  })
})
