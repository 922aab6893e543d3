import { describe, expect, it } from 'vitest'
import { StatusPages } from '../../../src/grants/peer/status-pages.js'

const SLOTS = 2048
const AT_ONCE = { wait: false, signal: undefined }

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
    const keeper = await pages.slot(7, AT_ONCE)
    const first = await pages.slot(7, AT_ONCE)
    bytes[0]!.set([1, 1], first.offset)
    expect(first.state()).toBe('mapped')
    await first.free()
    const second = await pages.slot(7, AT_ONCE)
    expect([second.offset, second.state(), keeper.state()]).toEqual([
      first.offset,
      'never mapped',
      'never mapped',
    ])
  })

  it('is released by the end of its domain, whatever the peer had said, and no other is', async () => {
    const { pages, bytes } = setUp()
    const [one, other] = [await pages.slot(7, AT_ONCE), await pages.slot(7, AT_ONCE)]
    bytes[0]!.set([1, 1], one.offset)
    bytes[0]!.set([1, 1], other.offset)
    one.domainGone()
    expect([one.state(), other.state()]).toEqual(['released', 'mapped'])
  })

  it('is no other grant’s, in whatever order they are given back', async () => {
    const { pages } = setUp()
    const slots = await Promise.all(Array.from({ length: 10 }, () => pages.slot(7, AT_ONCE)))
    for (const at of [3, 1, 7]) await slots[at]!.free()
    const again = await Promise.all([1, 2, 3].map(() => pages.slot(7, AT_ONCE)))
    const taken = [...slots.filter((_, i) => ![3, 1, 7].includes(i)), ...again]
    expect(new Set(taken.map(({ offset }) => offset)).size).toBe(10)
    for (const { offset } of taken) expect(offset % 2).toBe(0)
  })
})

describe('status pages', () => {
  it('are one per domain, shared by what is offered at the same moment, given back with the last', async () => {
    const { pages, log } = setUp()
    const slots = await Promise.all([pages.slot(7, AT_ONCE), pages.slot(7, AT_ONCE), pages.slot(8, AT_ONCE)])
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
    expect((await pages.slot(7, AT_ONCE)).ref).toBe(10)
  })

  it('are joined by another when one is full, and the fuller is kept when that is empty again', async () => {
    const { pages, log } = setUp()
    for (let i = 0; i < SLOTS; i++) await pages.slot(7, AT_ONCE)
    const [one, other] = await Promise.all([pages.slot(7, AT_ONCE), pages.slot(7, AT_ONCE)])
    expect([one!.ref, other!.ref]).toEqual([9, 9])
    for (const slot of [one!, other!]) await slot.free()
    expect(log).toEqual(['share 8 for 7', 'share 9 for 7', 'unshare 9'])
    expect((await pages.slot(7, AT_ONCE)).ref).toBe(10)
  })

  it('that could not be shared are asked for again', async () => {
    let fails = 2
    const { pages } = setUp(async () => {
      if (fails-- > 0) throw new Error('no room')
    })
    await expect(pages.slot(7, AT_ONCE)).rejects.toThrow('no room')
    await expect(pages.slot(7, AT_ONCE)).rejects.toThrow('no room')
    expect((await pages.slot(7, AT_ONCE)).ref).toBe(8)
  })
  it('that nobody waits for any more are not made, and others who wait get theirs', async () => {
    const signals: AbortSignal[] = []
    const shares: { domid: number; wait: boolean; give: () => void }[] = []
    const pages = new StatusPages((domid, wait, signal) => {
      signals.push(signal)
      return new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
        const grant = { refs: Uint32Array.of(8), bytes: new Uint8Array(4096), unshare: async () => {} }
        shares.push({ domid, wait, give: () => resolve(grant) })
      })
    })
    const [one, other] = [new AbortController(), new AbortController()]
    const first = pages.slot(7, { wait: true, signal: one.signal })
    const second = pages.slot(7, { wait: true, signal: other.signal })
    // One that does not wait asks for itself.
    const impatient = pages.slot(7, AT_ONCE)
    expect(shares.map(({ wait }) => wait)).toEqual([true, false])
    one.abort(new Error('one'))
    await expect(first).rejects.toThrow('one')
    expect(signals[0]!.aborted).toBe(false)
    other.abort(new Error('other'))
    await expect(second).rejects.toThrow('other')
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
    const third = pages.slot(7, { wait: true, signal: undefined })
    expect(shares).toHaveLength(3)
    shares[1]!.give()
    expect((await impatient).ref).toBe(8)
    shares[2]!.give()
    expect((await third).ref).toBe(8)
  })
})
