// A large grant is scrubbed a little in each turn, between the requests of other clients.
import { performance } from 'node:perf_hooks'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Op, UnshareFlag } from '../../../dist/src/grants/grant-messages.js'
import { startActor, turn } from '../../setup/actor.js'
import { FakeDevice } from '../../setup/fake-device.js'

const LARGE = (64 << 20) / 4096
/** More than is unmapped in one turn. */
const LARGER = (96 << 20) / 4096

function start(limit?: number) {
  const device = new FakeDevice(limit === undefined ? {} : { limit })
  return { device, ...startActor(device, { headroom: 0 }, true) }
}

/** How many pages have been freed, and in one call at most. */
function freed(device: FakeDevice): [number, number] {
  const counts = device
    .taken()
    .filter((call) => call.startsWith('deallocate'))
    .map((call) => Number(call.split(' ')[2]))
  return [counts.reduce((sum, count) => sum + count, 0), Math.max(...counts)]
}

const isZero = (bytes: Uint8Array): boolean => Buffer.compare(bytes, Buffer.alloc(bytes.length)) === 0

async function untilAnswered(
  client: { fates(requests: number[]): string[] },
  request: number,
): Promise<number> {
  for (let turns = 1; ; turns++) {
    await turn()
    if (client.fates([request])[0] !== 'waiting') return turns
  }
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a grant of 64 MiB that is given back', () => {
  it('lets another client share in the turn after, and is answered when all of it is zero', async () => {
    const { client, device } = start()
    const [one, two] = [client(), client()]
    const id = await one.share(7, LARGE)
    const bytes = new Uint8Array(one.buffers.get(id)!).fill(1)
    const unshare = one.ask(Op.unshare, id)
    one.submit()
    await turn()
    const share = two.ask(Op.share, 7, 1)
    two.submit()
    expect(await untilAnswered(two, share)).toBe(1)
    expect(one.fates([unshare])).toEqual(['waiting'])
    expect(device.mapped.size).toBe(2)
    await untilAnswered(one, unshare)
    expect(isZero(bytes)).toBe(true)
    expect(device.mapped.size).toBe(1)
  })

  it.each([0, UnshareFlag.force])('keeps no smaller one behind it (flags %s)', async (flags) => {
    const { client } = start()
    const [one, two] = [client(), client()]
    const large = await one.share(7, LARGE)
    const small = await two.share(7, 1)
    const first = one.ask(Op.unshare, large, flags)
    one.submit()
    await turn()
    const second = two.ask(Op.unshare, small)
    two.submit()
    expect(await untilAnswered(two, second)).toBe(1)
    expect(one.fates([first])).toEqual(['waiting'])
    await untilAnswered(one, first)
  })

  it('leaves its pages to a share that was asked for after it, also without wait', async () => {
    const { client } = start(LARGE + 8 + 16)
    const one = client()
    const id = await one.share(7, LARGE)
    one.ask(Op.unshare, id)
    const share = one.ask(Op.share, 7, LARGE)
    one.submit()
    await untilAnswered(one, share)
    expect(one.fates([share])).toEqual(['ok'])
  })

  it('is not given back twice when it is forced meanwhile: both are answered by the same end', async () => {
    const { client, device } = start()
    const one = client()
    const id = await one.share(7, LARGE)
    const orderly = one.ask(Op.unshare, id)
    one.submit()
    await turn()
    const forced = one.ask(Op.unshare, id, UnshareFlag.force)
    one.submit()
    await untilAnswered(one, forced)
    expect(one.fates([orderly, forced])).toEqual(['ok', 'ok'])
    expect(freed(device)).toEqual([LARGE, 256])
  })

  it.each(['munmap', 'deallocate'] as const)(
    'goes on from where %s has failed when it is tried again',
    async (call) => {
      const { client, device, actor } = start()
      const one = client()
      const id = await one.share(7, LARGER)
      const before = device.used - LARGER
      const bytes = new Uint8Array(one.buffers.get(id)!).fill(1)
      const first = one.ask(Op.unshare, id)
      one.submit()
      while (!device.log.some((line) => line.startsWith(call))) await turn()
      device.failNext(call, 'EINVAL')
      await untilAnswered(one, first)
      expect([one.fates([first]), actor.stats().grants]).toEqual([['EINVAL'], 1])
      const again = one.ask(Op.unshare, id)
      one.submit()
      await untilAnswered(one, again)
      expect([one.fates([again]), device.used, device.mapped.size, isZero(bytes)]).toEqual([
        ['ok'],
        before,
        0,
        true,
      ])
      // The call that failed is in the log as well.
      expect(freed(device)[0]).toBe(call === 'munmap' ? LARGER : LARGER + 256)
    },
  )

  it('is attached to by no one any more, and is not withdrawn', async () => {
    const { client } = start()
    const [one, two] = [client(), client()]
    const id = await one.share(7, LARGE)
    const unshare = one.ask(Op.unshare, id)
    one.submit()
    await turn()
    const attach = two.ask(Op.attach, id)
    two.submit()
    one.ask(Op.cancel, unshare)
    one.submit()
    await untilAnswered(one, unshare)
    expect([one.fates([unshare]), two.fates([attach])]).toEqual([['ok'], ['ERR_GRANTS_UNSHARED']])
  })

  it('is given back whole by a close that is forced in the middle of it', async () => {
    const { client, actor, device } = start()
    const one = client()
    const id = await one.share(7, LARGE)
    const bytes = new Uint8Array(one.buffers.get(id)!).fill(1)
    one.ask(Op.unshare, id)
    one.submit()
    await turn()
    await actor.close(true)
    expect([device.closed, device.mapped.size, isZero(bytes)]).toEqual([true, 0, true])
  })
})

describe('giving back', () => {
  it.each(['munmap', 'deallocate'] as const)(
    'makes one step a turn where each %s takes long',
    async (call) => {
      const { client, device } = start()
      const one = client()
      const before = device.used
      const id = await one.share(7, LARGE)
      let now = 0
      vi.spyOn(performance, 'now').mockImplementation(() => now)
      let calls = 0
      const original = device[call].bind(device)
      vi.spyOn(device, call).mockImplementation((...args: [number, number]) => {
        calls++
        now += 5
        original(...args)
      })
      const unshare = one.ask(Op.unshare, id)
      one.submit()
      let most = 0
      while (one.fates([unshare])[0] === 'waiting') {
        const already = calls
        await turn()
        most = Math.max(most, calls - already)
      }
      expect([most, device.used]).toEqual([1, before])
    },
  )

  it('lets a small grant go before many larger ones, which take turns', async () => {
    const { client, device } = start()
    const [one, two] = [client(), client()]
    const larger: number[] = []
    for (let i = 0; i < 60; i++) larger.push(await one.share(7, 512))
    const small = await two.share(7, 1)
    const requests = larger.map((id) => one.ask(Op.unshare, id))
    one.submit()
    await turn()
    const request = two.ask(Op.unshare, small)
    two.submit()
    expect(await untilAnswered(two, request)).toBe(1)
    expect(new Set(one.fates(requests))).toEqual(new Set(['waiting']))
    device.taken()
    await untilAnswered(one, requests.at(-1)!)
    const calls = device.taken().map((call) => call.split(' ')[0])
    expect(calls.indexOf('deallocate')).toBeGreaterThan(calls.lastIndexOf('munmap'))
  })

  it('goes on with a large grant while small ones come and go', async () => {
    const { client } = start()
    const [one, two] = [client(), client()]
    const large = await one.share(7, LARGE)
    const unshare = one.ask(Op.unshare, large)
    one.submit()
    while (one.fates([unshare])[0] === 'waiting') {
      const id = await two.share(7, 256)
      const request = two.ask(Op.unshare, id)
      two.submit()
      await untilAnswered(two, request)
    }
  })
})
