import { describe, expect, it } from 'vitest'
import { Op, ShareFlag } from '../../../dist/src/grants/grant-messages.js'
import { addressOf } from '../../../dist/src/native/libc.js'
import { type ActorClient, startActor } from '../../setup/actor.js'
import { FakeDevice } from '../../setup/fake-device.js'

function start(options: { limit?: number; table?: number } = {}, maxPages?: number) {
  const device = new FakeDevice(options)
  const world = startActor(device, { maxPages })
  device.taken()
  const { reserve } = world.actor.stats()
  /** Pages of the clients. */
  const own = (): number => device.used - reserve
  /** What has been called, with page numbers counted from the first that is not reserve. */
  const taken = (): string[] =>
    device.taken().map((call) => {
      const [name, page, ...rest] = call.split(' ')
      return /^(mmap|deallocate)$/.test(name!) ? [name, Number(page) - reserve, ...rest].join(' ') : call
    })
  return { device, own, taken, ...world }
}

/** Where the last ALLOC of a log begins, by its first mmap. */
function firstPage(log: string[]): number {
  const at = log.findLastIndex((call) => call.startsWith('allocate'))
  return Number(log[at + 1]!.split(' ')[1])
}

/**
 * Grants whose buffers lie side by side. Linux puts each below the one before, unless there is a hole above that fits: such
 * holes are used up first.
 */
async function shareSideBySide(client: ActorClient, sizes: number[]): Promise<number[]> {
  for (let tries = 0; tries < 1000; tries++) {
    const shares = sizes.map((pages) => client.ask(Op.share, 7, pages))
    await client.send()
    const ids = shares.map((share) => client.id(share))
    const descending = ids.every((id, i) => i === 0 || endOf(client, id) === startOf(client, ids[i - 1]!))
    if (descending) return ids
  }
  throw new Error('no buffers side by side')
}

const startOf = (client: ActorClient, id: number): number =>
  addressOf(new Uint8Array(client.buffers.get(id)!))
const endOf = (client: ActorClient, id: number): number =>
  startOf(client, id) + client.buffers.get(id)!.byteLength

const allocations = (log: string[]): string[] => log.filter((call) => call.startsWith('allocate'))

describe('share requests of one turn', () => {
  it('for the same domain and access go out as one ALLOC, each with an mmap of its own', async () => {
    const { taken, client } = start()
    const one = client()
    const [a, b, c] = [one.ask(Op.share, 7, 2), one.ask(Op.share, 7, 3), one.ask(Op.share, 7, 1)]
    await one.send()
    expect(taken()).toEqual(['allocate 7 0 6', 'mmap 0 2', 'mmap 2 3', 'mmap 5 1'])
    const refs = [a, b, c].map((request) => (one.answers.get(request) as number[]).slice(1))
    expect(refs.map(({ length }) => length)).toEqual([2, 3, 1])
    expect(new Set(refs.flat()).size).toBe(6)
  })

  it('are merged over clients, but not over domains or access', async () => {
    const { device, client } = start()
    const [one, two] = [client(), client()]
    for (const each of [one, two]) {
      each.ask(Op.share, 7, 1)
      each.ask(Op.share, 8, 1)
      each.ask(Op.share, 7, 1, ShareFlag.writable)
    }
    await Promise.all([one.send(), two.send()])
    expect(allocations(device.taken()).sort()).toEqual(['allocate 7 0 2', 'allocate 7 1 2', 'allocate 8 0 2'])
  })

  it('are merged up to 1024 pages', async () => {
    const { device, client } = start()
    const one = client()
    for (const pages of [1000, 24, 1, 2000]) one.ask(Op.share, 7, pages)
    await one.send()
    expect(allocations(device.taken())).toEqual(['allocate 7 0 1024', 'allocate 7 0 1', 'allocate 7 0 2000'])
  })

  it('keep the others when one of them cannot be mapped', async () => {
    const { device, own, client } = start()
    const one = client()
    const all = [1, 2, 3].map((pages) => one.ask(Op.share, 7, pages))
    device.failNext('mmap', 'ENOMEM')
    await one.send()
    expect(one.fates(all)).toEqual(['ENOMEM', 'ok', 'ok'])
    expect(own()).toBe(5)
  })

  it('give back later what could not be given back at once', async () => {
    const { device, own, client } = start()
    const one = client()
    device.failNext('mmap', 'ENOMEM')
    device.failNext('deallocate', 'EINVAL')
    await expect(one.share(7, 3)).rejects.toThrow('ENOMEM')
    expect(own()).toBe(3)
    await one.share(7, 1)
    expect(own()).toBe(1)
  })
})

describe('a merged ALLOC that fails', () => {
  it('is split: who would have succeeded alone succeeds', async () => {
    const { device, client } = start({ limit: 10 }, 100)
    const one = client()
    const all = [4, 5, 3, 1].map((pages) => one.ask(Op.share, 7, pages))
    await one.send()
    expect(one.fates(all)).toEqual(['ok', 'ok', 'ENOSPC', 'ok'])
    expect(device.used).toBe(10)
  })

  it('is not tried again for those as large as one that has failed since', async () => {
    const { device, client } = start({ table: 14 }, 100)
    const one = client()
    const all = [9, 8, 8, 20, 1].map((pages) => one.ask(Op.share, 7, pages))
    await one.send()
    expect(one.fates(all)).toEqual(['ok', 'ENOSPC', 'ENOSPC', 'ENOSPC', 'ok'])
    // The third is the probe that tells the reasons apart.
    expect(allocations(device.taken())).toEqual([
      'allocate 7 0 46',
      'allocate 7 0 9',
      'allocate 7 0 8',
      'allocate 0 0 0',
      'allocate 7 0 1',
    ])
    for (const request of [all[2]!, all[3]!]) {
      expect(one.answers.get(request)).toMatchObject({ code: 'ENOSPC', reason: 'grant-table', domid: 7 })
    }
  })

  it.each(['ENOMEM', 'EFAULT'])('with %s is split as well', async (code) => {
    const { device, client } = start()
    const one = client()
    const all = [1, 1, 1].map((pages) => one.ask(Op.share, 7, pages))
    device.failNext('allocate', code)
    await one.send()
    expect(one.fates(all)).toEqual(['ok', 'ok', 'ok'])
  })
})

describe('unshare requests of one turn', () => {
  it('unmap what is side by side in one call, and give adjacent ranges back in one DEALLOC, in whatever order', async () => {
    const { taken, client } = start()
    const one = client()
    const ids = await shareSideBySide(one, [1, 2, 3, 4])
    const first = firstPage(taken())
    for (const index of [3, 0, 1]) one.ask(Op.unshare, ids[index]!)
    await one.send()
    // From the lowest address on: the last share, then the second and the first.
    expect(taken()).toEqual(['munmap 4', 'munmap 3', `deallocate ${first} 3`, `deallocate ${first + 6} 4`])
  })

  it('are unmapped one by one when together fails, and the others are given back', async () => {
    const { device, own, taken, client } = start()
    const one = client()
    const ids = await shareSideBySide(one, [1, 1, 1])
    const first = firstPage(taken())
    const others = [own(), device.mapped.size]
    device.failNext('munmap', 'EINVAL')
    device.failNext('munmap', 'ENOMEM')
    const ends = ids.map((id) => one.ask(Op.unshare, id))
    await one.send()
    // The last lies lowest, and is tried first.
    expect(one.fates(ends)).toEqual(['ok', 'ok', 'ENOMEM'])
    expect(taken()).toEqual(['munmap 3', 'munmap 1', 'munmap 1', 'munmap 1', `deallocate ${first} 2`])
    const again = one.ask(Op.unshare, ids[2]!)
    await one.send()
    expect([one.fates([again]), own(), device.mapped.size]).toEqual([
      ['ok'],
      ...others.map((count) => count - 3),
    ])
  })

  it('are tried one by one when the merged DEALLOC fails, so that one cannot fail another', async () => {
    const { device, own, client } = start()
    const one = client()
    const shares = [1, 1, 1].map((pages) => one.ask(Op.share, 7, pages))
    await one.send()
    device.failNext('deallocate', 'EINVAL')
    device.failNext('deallocate', 'EINVAL')
    const ends = shares.map((share) => one.ask(Op.unshare, one.id(share)))
    await one.send()
    expect(one.fates(ends)).toEqual(['EINVAL', 'ok', 'ok'])
    const again = one.ask(Op.unshare, one.id(shares[0]!))
    await one.send()
    expect([one.fates([again]), own()]).toEqual([['ok'], 0])
  })

  it('make room for the shares of the same turn', async () => {
    const { client } = start({}, 4)
    const one = client()
    const grant = await one.share(7, 4)
    const share = one.ask(Op.share, 7, 4)
    one.ask(Op.unshare, grant)
    await one.send()
    expect(one.fates([share])).toEqual(['ok'])
  })
})

describe('the calls made', () => {
  it('are counted by name', async () => {
    const { actor, client } = start()
    const one = client()
    const grant = await one.share(7, 2)
    one.ask(Op.setUnmapNotify, grant, 0, 1)
    one.ask(Op.unshare, grant)
    await one.send()
    const { calls, operations, batches } = actor.stats()
    // Two more ALLOCs at the start: the reserve and the probe. Two notifications: armed, and disarmed by the end.
    expect(calls).toEqual({
      allocate: 3,
      deallocate: 1,
      setUnmapNotify: 2,
      mmap: 1,
      munmap: 1,
    })
    expect({ operations, batches }).toEqual({ operations: 3, batches: 2 })
  })
})
