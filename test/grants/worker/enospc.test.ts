import { describe, expect, it } from 'vitest'
import { DOMID_INVALID } from '../../../dist/src/abi.js'
import { GrantError } from '../../../dist/src/errors.js'
import { Op } from '../../../dist/src/grants/grant-messages.js'
import { RESERVE_PAGES } from '../../../dist/src/grants/worker/reserve.js'
import { type ActorClient, startActor } from '../../setup/actor.js'
import { FakeDevice } from '../../setup/fake-device.js'

async function refused(
  spoil: (device: FakeDevice, one: ActorClient) => void | Promise<void>,
  options: { limit?: number; pages?: number } = {},
): Promise<GrantError> {
  const device = new FakeDevice({ limit: options.limit ?? 100 })
  const one = startActor(device, { maxPages: 1000 }).client()
  await one.share(7, 10)
  await spoil(device, one)
  return one.share(7, options.pages ?? 20).then(
    () => expect.unreachable(),
    (error) => error,
  )
}

describe('an ENOSPC', () => {
  it('of the limit is told by an index that has not moved, with the command that raises it', async () => {
    const error = await refused((device) => {
      device.used += 80
    })
    expect(error).toMatchObject({ code: 'ENOSPC', reason: 'limit', errno: -28, domid: 7, pages: 20 })
    expect(error.message).toMatch(/limit of 100 pages.*echo 32768 > \/sys\/module\/xen_gntalloc/)
  })

  it('of the grant table is told by an index that has moved', async () => {
    const error = await refused((device) => {
      device.table = 5
    })
    expect(error).toMatchObject({ code: 'ENOSPC', reason: 'grant-table' })
    expect(error.message).toContain('max_grant_frames')
  })

  it('of the limit is told from one of the grant table also after a shortage of memory that used up a range', async () => {
    const error = await refused(async (device, one) => {
      const { allocate } = device
      device.allocate = (domid, flags, count) => {
        device.allocate = allocate
        device.deallocate(device.allocate(domid, flags, count).index, count)
        throw new GrantError('ENOMEM', 'no memory', { errno: -12, syscall: 'ioctl' })
      }
      await expect(one.share(7, 40)).rejects.toMatchObject({ code: 'ENOMEM' })
      device.used += 80
    })
    expect(error.reason).toBe('limit')
  })

  it('of a wedged driver is told by its refusing even no pages', async () => {
    const error = await refused((device) => {
      device.used = 2 ** 32 - 1
    })
    expect(error).toMatchObject({ code: 'ENOSPC', reason: 'wedged' })
    expect(error.message).toContain('rmmod xen_gntalloc')
  })

  it.each([
    ['below what this server has', 12],
    ['below what its reserve needs beside', 10 + RESERVE_PAGES - 1],
  ])('after the limit was lowered %s is no wedge', async (_name, limit) => {
    const error = await refused((device) => {
      device.limit = limit
    })
    expect(error.reason).toBe('limit')
  })

  it('with a limit that only the refused request exceeds is a wedge all the same', async () => {
    const error = await refused(
      (device) => {
        device.used = 2 ** 32 - 1
      },
      { pages: 500 },
    )
    expect(error.reason).toBe('wedged')
  })

  it('of a driver without a limit is a wedge: a negative limit is none', async () => {
    const error = await refused((device) => {
      device.limit = -1
      for (let i = 0; i < 2; i++) device.failNext('allocate', 'ENOSPC')
    })
    expect(error).toMatchObject({ reason: 'wedged', path: '/dev/fake' })
  })

  it('names the device and the pages, also of those that were not tried by themselves', async () => {
    const device = new FakeDevice({ table: 14 })
    const one = startActor(device, { maxPages: 1000 }).client()
    const all = [9, 8, 20].map((pages) => one.ask(Op.share, 7, pages))
    await one.send()
    for (const [i, pages] of [8, 20].entries())
      expect(one.answers.get(all[i + 1]!)).toMatchObject({
        code: 'ENOSPC',
        reason: 'grant-table',
        errno: -28,
        syscall: 'allocate',
        path: '/dev/fake',
        domid: 7,
        pages,
      })
  })

  it('is reported as it is when the probe fails otherwise', async () => {
    const error = await refused((device) => {
      device.table = 5
      const { allocate } = device
      device.allocate = (domid, flags, count) => {
        if (count === 0) device.failNext('allocate', 'EFAULT')
        return allocate.call(device, domid, flags, count)
      }
    })
    expect(error).toMatchObject({ code: 'ENOSPC', message: 'allocate: ENOSPC' })
    expect(error.reason).toBeUndefined()
  })
})

describe('reserve', () => {
  it('is a few pages that nobody can map, taken first and not counted as pages', () => {
    const device = new FakeDevice({ limit: 64 })
    const { actor } = startActor(device)
    expect(device.log[0]).toBe(`allocate ${DOMID_INVALID} 0 ${RESERVE_PAGES}`)
    expect(actor.stats()).toMatchObject({ reserve: RESERVE_PAGES, pages: 0, grants: 0, maxPages: 59 })
  })

  it.each([
    ['the limit is small', 63, undefined],
    ['the limit is used up', 64, 'ENOSPC'],
    ['memory is short', 64, 'ENOMEM'],
  ])('is done without where %s', (_name, limit, code) => {
    const device = new FakeDevice({ limit })
    if (code) device.failNext('allocate', code)
    expect(startActor(device).actor.stats()).toMatchObject({
      reserve: 0,
      // One is left for status pages from 64 on.
      maxPages: limit < 64 ? limit : limit - 1,
    })
  })

  it('that fails otherwise is an error of opening', () => {
    const device = new FakeDevice({ limit: 64 })
    device.failNext('allocate', 'EFAULT')
    expect(() => startActor(device)).toThrow('EFAULT')
  })
})

describe('headroom', () => {
  it('leaves entries of the grant table to others, before the driver is asked', async () => {
    const device = new FakeDevice()
    const { client, actor } = startActor(device, { headroom: 32_768 - 20 })
    const one = client()
    const room = 20 - actor.stats().reserve
    await one.share(7, room - 1)
    device.taken()
    const error: GrantError = await one.share(7, 2).then(
      () => expect.unreachable(),
      (e) => e,
    )
    expect(error).toMatchObject({ code: 'ENOSPC', reason: 'grant-table', domid: 7, pages: 2 })
    expect(error.message).toMatch(/1 entries are left.*headroom/)
    expect(device.taken()).toEqual([])
    await one.share(7, 1)
  })

  it.each([63, undefined])(
    'larger than the table leaves one entry, besides the reserve (limit %s)',
    async (limit) => {
      const { client } = startActor(new FakeDevice({ ...(limit && { limit }) }), { headroom: 1_000_000 })
      const one = client()
      await one.share(7, 1)
      await expect(one.share(7, 1)).rejects.toMatchObject({
        reason: 'grant-table',
        message: expect.stringContaining(' 0 entries are left'),
      })
    },
  )
})
