import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Op, ShareFlag } from '../../../dist/src/grants/grant-messages.js'
import { startActor, turn } from '../../setup/actor.js'
import { FakeDevice } from '../../setup/fake-device.js'
import { useFakeTimers, useRealTimers } from '../../setup/fake-timers.js'

const { wait } = ShareFlag

function start(budget: object, limit?: number) {
  const device = new FakeDevice({ ...(limit !== undefined && { limit }) })
  return { device, ...startActor(device, budget) }
}

describe('who waits for the budget', () => {
  it('is not passed by smaller ones: a large request does not starve', async () => {
    const { client } = start({ maxPages: 10 })
    const [one, two] = [client(), client()]
    const grants = [await one.share(7, 5), await one.share(7, 4)]
    const large = one.ask(Op.share, 7, 9, wait)
    await one.send()
    const small = [1, 1, 1].map((pages) => two.ask(Op.share, 8, pages, wait))
    const impatient = two.ask(Op.share, 8, 1)
    await two.send()
    expect([one.fates([large]), two.fates([...small, impatient])]).toEqual([
      ['waiting'],
      ['waiting', 'waiting', 'waiting', 'ERR_GRANTS_QUOTA'],
    ])
    one.ask(Op.unshare, grants[0]!)
    await one.send()
    expect(one.fates([large])).toEqual(['waiting'])
    one.ask(Op.unshare, grants[1]!)
    await one.send()
    expect([one.fates([large]), two.fates(small)]).toEqual([['ok'], ['ok', 'waiting', 'waiting']])
  })

  it('of one domain is passed by other domains, not by its own', async () => {
    const { client } = start({ maxPages: 10, maxPagesPerDomain: 4 })
    const one = client()
    const first = await one.share(7, 3)
    const all = [one.ask(Op.share, 7, 2, wait), one.ask(Op.share, 7, 1, wait), one.ask(Op.share, 8, 4, wait)]
    await one.send()
    expect(one.fates(all)).toEqual(['waiting', 'waiting', 'ok'])
    one.ask(Op.unshare, first)
    await one.send()
    expect(one.fates(all)).toEqual(['ok', 'ok', 'ok'])
  })

  it('is refused at once when there can never be room', async () => {
    const { client } = start({ maxPages: 10, maxPagesPerDomain: 4 })
    const one = client()
    const all = [one.ask(Op.share, 7, 11, wait), one.ask(Op.share, 7, 5, wait)]
    await one.send()
    expect(one.fates(all)).toEqual(['ERR_GRANTS_QUOTA', 'ERR_GRANTS_QUOTA'])
  })

  it('and withdraws fails with ABORT_ERR, and lets those behind it pass', async () => {
    const { client, actor } = start({ maxPages: 10 })
    const one = client()
    await one.share(7, 5)
    const [large, small] = [one.ask(Op.share, 7, 9, wait), one.ask(Op.share, 7, 1, wait)]
    await one.send()
    one.ask(Op.cancel, large)
    await one.send()
    expect([one.fates([large, small]), actor.stats().waiting]).toEqual([['ABORT_ERR', 'ok'], 0])
  })

  it('can withdraw in the turn in which it asks', async () => {
    const { client, actor } = start({ maxPages: 10 })
    const one = client()
    await one.share(7, 5)
    const large = one.ask(Op.share, 7, 9, wait)
    one.ask(Op.cancel, large)
    const small = one.ask(Op.share, 7, 1, wait)
    await one.send()
    expect(one.fates([large, small])).toEqual(['ABORT_ERR', 'ok'])
    expect(actor.stats()).toMatchObject({ waiting: 0, pages: 6 })
  })

  it('withdraws its own requests only', async () => {
    const { client } = start({ maxPages: 1 })
    const [one, two] = [client(), client()]
    await one.share(7, 1)
    const mine = one.ask(Op.share, 7, 1, wait)
    await one.send()
    two.ask(Op.cancel, mine)
    await two.send()
    expect(one.fates([mine])).toEqual(['waiting'])
  })

  it('counts among those that make others busy', async () => {
    const { client } = start({ maxPages: 1, maxQueue: 3 })
    const one = client()
    await one.share(7, 1)
    const all = [1, 2, 3].map(() => one.ask(Op.share, 7, 1, wait))
    await one.send()
    const more = one.ask(Op.share, 7, 1, wait)
    await one.send()
    expect(one.fates([...all, more])).toEqual(['waiting', 'waiting', 'waiting', 'ERR_GRANTS_BUSY'])
  })

  it('is not refused for what another client has sent', async () => {
    const { client, actor } = start({ maxPages: 2, maxQueue: 3 })
    const [one, two] = [client(), client()]
    const flood = Array.from({ length: 100 }, () => one.ask(Op.detach, 5))
    const sent = one.send()
    const share = two.ask(Op.share, 7, 1)
    await Promise.all([sent, two.send()])
    expect([two.fates([share]), new Set(one.fates(flood))]).toEqual([['ok'], new Set(['ok'])])
    expect(actor.stats().queued).toBe(0)
  })

  it('is forgotten with its client', async () => {
    const { client, actor } = start({ maxPages: 1 })
    const [one, two] = [client(), client()]
    const grant = await one.share(7, 1)
    for (let i = 0; i < 2; i++) two.ask(Op.share, 7, 1, wait)
    await two.send()
    two.end()
    one.ask(Op.unshare, grant)
    await one.send()
    await turn()
    expect(actor.stats()).toMatchObject({ grants: 0, pages: 0, waiting: 0 })
  })

  it('may not give two requests one number: the second could be neither withdrawn nor forgotten', async () => {
    const { client, actor } = start({ maxPages: 1 })
    const [one, two] = [client(), client()]
    await one.share(7, 1)
    actor.submit(two.session, [9, 1, 7, 1, wait, 0, 9, 1, 7, 1, wait, 0])
    await turn()
    expect(two.answers.get(9)).toMatchObject({ code: 'ERR_GRANTS_PROTOCOL' })
    expect(actor.stats().waiting).toBe(1)
  })
})

describe("who waits at the driver's limit", () => {
  it('is not passed by smaller ones either', async () => {
    const { device, client } = start({ maxPages: 100 }, 64)
    const one = client()
    device.used += 50
    const large = one.ask(Op.share, 7, 20, wait)
    await one.send()
    const small = [one.ask(Op.share, 8, 1, wait), one.ask(Op.share, 8, 1)]
    await one.send()
    expect(one.fates([large, ...small])).toEqual(['waiting', 'waiting', 'ERR_GRANTS_QUOTA'])
    device.used -= 50
    // Any turn asks again; nobody has told the server that another process has given something back.
    one.ask(Op.cancel, 0)
    await one.send()
    await turn()
    expect(one.fates([large, small[0]!])).toEqual(['ok', 'ok'])
  })

  it('is asked for again by itself after a while', async () => {
    const { device, client } = start({ maxPages: 100 }, 64)
    const one = client()
    device.used += 60
    const waiting = one.ask(Op.share, 7, 20, wait)
    await one.send()
    device.used -= 60
    // The timer that asks again does not keep a process alive.
    const awake = setInterval(() => {}, 1000)
    while (one.fates([waiting])[0] === 'waiting') await turn()
    clearInterval(awake)
    expect(one.fates([waiting])).toEqual(['ok'])
  })

  it('does not wait for a full grant table: trying again would wedge the driver', async () => {
    const { device, client } = start({ maxPages: 100 })
    const one = client()
    device.table = 3
    const request = one.ask(Op.share, 7, 20, wait)
    await one.send()
    expect(one.answers.get(request)).toMatchObject({ code: 'ENOSPC', reason: 'grant-table' })
  })
})

describe('who waits for the grant table', () => {
  const room = (entries: number) => start({ headroom: 32_768 - 4 - entries })

  it('is not passed by smaller ones, of whatever domain', async () => {
    const { client } = room(10)
    const one = client()
    const grant = await one.share(7, 5)
    const large = one.ask(Op.share, 7, 9, wait)
    await one.send()
    const small = [one.ask(Op.share, 7, 1, wait), one.ask(Op.share, 8, 1, wait), one.ask(Op.share, 8, 1)]
    await one.send()
    expect(one.fates([large, ...small])).toEqual(['waiting', 'waiting', 'waiting', 'ERR_GRANTS_QUOTA'])
    one.ask(Op.unshare, grant)
    await one.send()
    expect(one.fates([large, ...small.slice(0, 2)])).toEqual(['ok', 'ok', 'waiting'])
  })

  it('may use all of it, and is refused at once what it can never hold', async () => {
    const { client } = room(10)
    const one = client()
    const [much, more] = [one.ask(Op.share, 7, 10, wait), one.ask(Op.share, 7, 11, wait)]
    await one.send()
    expect(one.fates([much, more])).toEqual(['ok', 'ENOSPC'])
    expect(one.answers.get(more)).toMatchObject({
      reason: 'grant-table',
      message: expect.stringMatching(/less/),
    })
  })
})

describe('the pages of each domain', () => {
  it('are told as long as there are any', async () => {
    const { client, actor } = start({})
    const one = client()
    const grants = [await one.share(7, 2), await one.share(8, 3), await one.share(7, 1)]
    expect(actor.stats().domains).toEqual({ 7: 3, 8: 3 })
    one.ask(Op.unshare, grants[0]!)
    one.ask(Op.unshare, grants[1]!)
    await one.send()
    expect(actor.stats().domains).toEqual({ 7: 1 })
    one.ask(Op.unshare, grants[2]!)
    await one.send()
    expect(actor.stats()).toMatchObject({ domains: {}, pages: 0, grants: 0 })
  })

  it('are not counted when the driver refuses them', async () => {
    const { client, actor, device } = start({})
    const one = client()
    for (const call of ['allocate', 'mmap'] as const) {
      device.failNext(call, 'ENOMEM')
      await expect(one.share(7, 2)).rejects.toThrow('ENOMEM')
    }
    expect(actor.stats()).toMatchObject({ domains: {}, pages: 0 })
  })
})

describe('the timer of who waits at the limit of the driver', () => {
  beforeEach(() => {
    useFakeTimers('setTimeout', 'clearTimeout')
  })
  afterEach(() => {
    useRealTimers()
  })

  async function refused() {
    const world = start({ maxPages: 100 }, 64)
    const one = world.client()
    world.device.used += 60
    const waiting = one.ask(Op.share, 7, 20, wait)
    await one.send()
    expect(vi.getTimerCount()).toBe(1)
    const allocations = (): number =>
      world.device.taken().filter((call) => call.startsWith('allocate 7')).length
    allocations()
    return { ...world, one, waiting, allocations }
  }

  it('is one, however many turns there are, and goes on for as long as it is refused', async () => {
    const { one, waiting, device, allocations } = await refused()
    for (let i = 0; i < 3; i++) {
      one.ask(Op.cancel, 0)
      await one.send()
    }
    expect([allocations(), vi.getTimerCount()]).toEqual([3, 1])
    for (let i = 0; i < 3; i++) {
      vi.advanceTimersByTime(249)
      await turn()
      expect(allocations()).toBe(0)
      vi.advanceTimersByTime(1)
      await turn()
      expect([allocations(), vi.getTimerCount()]).toEqual([1, 1])
    }
    device.used -= 60
    vi.advanceTimersByTime(250)
    await turn()
    expect([one.fates([waiting]), vi.getTimerCount()]).toEqual([['ok'], 0])
  })

  it('is not set again for who has withdrawn, nor by who comes after that', async () => {
    const { one, waiting, device, allocations } = await refused()
    one.ask(Op.cancel, waiting)
    await one.send()
    device.used -= 60
    vi.advanceTimersByTime(250)
    await turn()
    await one.share(7, 1)
    expect([allocations(), vi.getTimerCount()]).toEqual([1, 0])
  })

  it('ends with the server', async () => {
    const { one, actor, waiting } = await refused()
    const closed = actor.close(false)
    expect([one.fates([waiting]), vi.getTimerCount()]).toEqual([['ERR_GRANTS_CLOSED'], 0])
    one.end()
    await closed
  })
})

describe('a server that closes', () => {
  it('fails those that wait, those that come later, and those that were received just before', async () => {
    const { actor, client } = start({ maxPages: 1 })
    const one = client()
    await one.share(7, 1)
    const waiting = one.ask(Op.share, 7, 1, wait)
    await one.send()
    const received = one.ask(Op.share, 7, 1, wait)
    const sent = one.send()
    const closed = actor.close(false)
    await sent
    const late = one.ask(Op.share, 7, 1, wait)
    await one.send()
    expect(one.fates([waiting, received, late])).toEqual(Array(3).fill('ERR_GRANTS_CLOSED'))
    one.end()
    await closed
  })
})
