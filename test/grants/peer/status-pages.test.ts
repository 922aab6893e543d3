import { describe, expect, it } from 'vitest'
import { StatusPages } from '../../../src/grants/peer/status-pages.js'

const SLOTS = 2048

/** Status pages over memory that nobody maps, and what has been shared and given back. */
function setUp(fail?: () => Promise<void>) {
  const log: string[] = []
  const bytes: Uint8Array[] = []
  const pages = new StatusPages(async (domid) => {
    await fail?.()
    const ref = 8 + bytes.length
    log.push(`share ${ref} for ${domid}`)
    const page = new Uint8Array(4096)
    bytes.push(page)
    const unshare = async (): Promise<void> => void log.push(`unshare ${ref}`)
    return { refs: Uint32Array.of(ref), bytes: page, unshare }
  })
  return { pages, log, bytes }
}

describe('a slot of a status page', () => {
  it('begins as never mapped, also when another grant has had it', async () => {
    const { pages, bytes } = setUp()
    const keeper = await pages.slot(7)
    const first = await pages.slot(7)
    bytes[0]!.set([1, 1], first.offset)
    expect(first.state()).toBe('mapped')
    await first.free()
    const second = await pages.slot(7)
    expect([second.offset, second.state(), keeper.state()]).toEqual([
      first.offset,
      'never mapped',
      'never mapped',
    ])
  })

  it('is released by the end of its domain, whatever the peer had said, and no other is', async () => {
    const { pages, bytes } = setUp()
    const [one, other] = [await pages.slot(7), await pages.slot(7)]
    bytes[0]!.set([1, 1], one.offset)
    bytes[0]!.set([1, 1], other.offset)
    one.domainGone()
    expect([one.state(), other.state()]).toEqual(['released', 'mapped'])
  })

  it('is no other grant’s, in whatever order they are given back', async () => {
    const { pages } = setUp()
    const slots = await Promise.all(Array.from({ length: 10 }, () => pages.slot(7)))
    for (const at of [3, 1, 7]) await slots[at]!.free()
    const again = await Promise.all([1, 2, 3].map(() => pages.slot(7)))
    const taken = [...slots.filter((_, i) => ![3, 1, 7].includes(i)), ...again]
    expect(new Set(taken.map(({ offset }) => offset)).size).toBe(10)
    for (const { offset } of taken) expect(offset % 2).toBe(0)
  })
})

describe('status pages', () => {
  it('are one per domain, shared by what is offered at the same moment, given back with the last', async () => {
    const { pages, log } = setUp()
    const slots = await Promise.all([pages.slot(7), pages.slot(7), pages.slot(8)])
    expect(log).toEqual(['share 8 for 7', 'share 9 for 8'])
    expect(slots.map(({ ref, domid }) => [ref, domid])).toEqual([
      [8, 7],
      [8, 7],
      [9, 8],
    ])
    await slots[0]!.free()
    await slots[0]!.free()
    expect(log).toHaveLength(2)
    await slots[1]!.free()
    expect(log.at(-1)).toBe('unshare 8')
    expect((await pages.slot(7)).ref).toBe(10)
  })

  it('are joined by another when one is full, and the fuller is kept when that is empty again', async () => {
    const { pages, log } = setUp()
    for (let i = 0; i < SLOTS; i++) await pages.slot(7)
    const [one, other] = await Promise.all([pages.slot(7), pages.slot(7)])
    expect([one!.ref, other!.ref]).toEqual([9, 9])
    for (const slot of [one!, other!]) await slot.free()
    expect(log).toEqual(['share 8 for 7', 'share 9 for 7', 'unshare 9'])
    expect((await pages.slot(7)).ref).toBe(10)
  })

  it('that could not be shared are asked for again', async () => {
    let fails = 2
    const { pages } = setUp(async () => {
      if (fails-- > 0) throw new Error('no room')
    })
    await expect(pages.slot(7)).rejects.toThrow('no room')
    await expect(pages.slot(7)).rejects.toThrow('no room')
    expect((await pages.slot(7)).ref).toBe(8)
  })
})
