import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Deferred } from '../../../src/grants/peer/deferred-pages.js'
import type { StatusSlot } from '../../../src/grants/peer/status-pages.js'
import type { PeerState } from '../../../src/pages/peer-status.js'

let now = 0
beforeEach(() => {
  now = 1000
  vi.spyOn(performance, 'now').mockImplementation(() => now)
})
afterEach(() => {
  vi.restoreAllMocks()
})

class FakeSlot implements StatusSlot {
  readonly ref = 8
  readonly offset = 0
  says: PeerState = 'mapped'
  freed = 0
  constructor(readonly domid = 7) {}
  state(): PeerState {
    return this.says
  }
  domainGone(): void {
    this.says = 'released'
  }
  async free(): Promise<void> {
    this.freed++
  }
}

const exist = async (): Promise<boolean> => true

it('the oldest of several counts for the age', async () => {
  const deferred = new Deferred(exist)
  expect(await deferred.stats(10)).toEqual({ pages: 0, oldest: 0, draining: 0, perSecond: 10 })
  for (const pages of [2, 3, 4]) {
    deferred.add(pages, new FakeSlot())
    now += 100
  }
  expect(await deferred.stats(10)).toMatchObject({ pages: 9, oldest: 300 })
})

it.each([
  [10, 1000 + 500],
  [1, 1000 + 5000],
  // Without limit.
  [0, 1000],
  // The kernel's own default, where it cannot be read.
  [undefined, 1000 + 500],
])(
  'pages that a peer has unmapped are freed at the rate of the kernel (%s a second)',
  async (rate, needed) => {
    const deferred = new Deferred(exist)
    const slot = new FakeSlot()
    deferred.add(5, slot)
    now += 60_000
    expect(await deferred.stats(rate)).toMatchObject({ pages: 5, draining: 0, perSecond: rate })
    slot.says = 'released'
    expect(await deferred.stats(rate)).toMatchObject({ pages: 5, draining: 5 })
    now += needed - 1
    expect(await deferred.stats(rate)).toMatchObject({ pages: 5, draining: 5 })
    now += 1
    expect(await deferred.stats(rate)).toMatchObject({ pages: 0, oldest: 0, draining: 0 })
    expect(slot.freed).toBe(1)
  },
)

it('a domain that is gone is asked for once, and maps nothing any more', async () => {
  const asked: number[] = []
  const deferred = new Deferred(async (domid) => {
    asked.push(domid)
    return domid === 8 ? false : undefined
  })
  const slots = [new FakeSlot(7), new FakeSlot(8), new FakeSlot(8)]
  for (const slot of slots) deferred.add(1, slot)
  expect(await deferred.stats(10)).toMatchObject({ pages: 3, draining: 2 })
  expect([asked, slots.map(({ says }) => says)]).toEqual([
    [7, 8],
    ['mapped', 'released', 'released'],
  ])
  await deferred.stats(10)
  expect(asked).toEqual([7, 8, 7])
})
