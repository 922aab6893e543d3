// How much of the limit is free, found by granting: on a simulated Xen, and on servers that refuse as they are told to.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { SimulatedXen } from 'xen-grants/simulated'
import { checkCapacity } from '../../dist/src/diagnosis/capacity.js'
import type { System } from '../../dist/src/diagnosis/system.js'
import { GrantError } from '../../dist/src/errors.js'
import { GrantServer } from '../../dist/src/grants/grant-server.js'

afterEach(() => {
  vi.restoreAllMocks()
})

const system = (limit?: string): System =>
  ({ read: async () => (limit === undefined ? { code: 'EACCES' } : { text: limit }) }) as unknown as System

/** A server that grants up to so many pages, and says why it grants no more. */
function granting(free: number, reason: 'limit' | 'grant-table' | 'wedged', reserve = 0) {
  const asked: number[] = []
  const close = vi.fn(async () => {})
  const share = async ({ pages }: { pages: number }) => {
    asked.push(pages)
    if (pages > free) throw new GrantError('ENOSPC', `no room: ${reason}`, { reason })
    return { unshare: async () => {} }
  }
  vi.spyOn(GrantServer, 'open').mockResolvedValue({
    share,
    stats: async () => ({ reserve }),
    close,
  } as unknown as GrantServer)
  return { asked, close }
}

const told = async (limit?: string) => {
  const [first, second] = await checkCapacity(system(limit), '/dev/x')
  return { first: first!, second: second! }
}

describe('the pages that are free', () => {
  it.each([1, 2, 3, 255, 256, 700, 1023])('are counted exactly: %i', async (free) => {
    const { asked, close } = granting(free, 'limit')
    const { first, second } = await told('1000')
    expect(first).toMatchObject({
      check: 'limit',
      status: free < 256 ? 'attention' : 'ok',
      message: `limit 1000 pages for all processes together, ${free} free`,
    })
    expect(second).toMatchObject({ check: 'grant table', status: 'unknown' })
    expect(asked.length).toBeLessThan(25)
    expect(close).toHaveBeenCalledWith({ force: true })
  })

  it('are no more than are looked for, and those that the server keeps count', async () => {
    granting(5000, 'limit')
    expect((await told('99999')).first.message).toContain('at least 1024 free')
    granting(300, 'limit', 4)
    expect((await told()).first.message).toBe('limit cannot be read for all processes together, 304 free')
  })

  it('are none: then nothing can be granted', async () => {
    granting(0, 'limit')
    expect((await told('10')).first).toMatchObject({
      status: 'missing',
      remedy: expect.stringContaining('limit'),
    })
  })
})

describe('a full grant table', () => {
  it('is not tried again, since each failure harms the driver', async () => {
    const { asked } = granting(100, 'grant-table')
    const { second } = await told('1000')
    expect(asked.filter((pages) => pages > 100)).toHaveLength(1)
    expect(second).toMatchObject({ check: 'grant table', status: 'missing', message: 'no room: grant-table' })
  })

  it('is not tried again when the driver is wedged, which is what is told', async () => {
    const { asked } = granting(0, 'wedged')
    expect((await told('1000')).first).toMatchObject({ status: 'missing', message: 'no room: wedged' })
    expect(asked).toHaveLength(1)
  })
})

describe('a server', () => {
  it('that does not open is what is missing', async () => {
    vi.spyOn(GrantServer, 'open').mockRejectedValue(new Error('no driver'))
    expect(await checkCapacity(system(), '/dev/x')).toEqual([
      { check: 'driver', status: 'missing', message: 'no driver' },
    ])
  })

  it('that fails otherwise is closed all the same', async () => {
    const { close } = granting(10, 'limit')
    const server = await GrantServer.open()
    server.share = async () => {
      throw new GrantError('EFAULT', 'broke')
    }
    await expect(checkCapacity(system(), '/dev/x')).rejects.toThrow('broke')
    expect(close).toHaveBeenCalledTimes(1)
  })
})

it('on a simulated Xen it is as on a real one, and leaves nothing', async () => {
  await using xen = await SimulatedXen.create({ limit: 400 })
  const found = await checkCapacity(system('400'), xen as never)
  expect(found.map(({ check, status }) => [check, status])).toEqual([
    ['limit', 'ok'],
    ['grant table', 'unknown'],
  ])
  expect(found[0]!.message).toContain('400 free')
  expect(await xen.counters()).toMatchObject({ grants: 0, files: 0 })
})
