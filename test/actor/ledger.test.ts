import { describe, expect, it } from 'vitest'
import { MappingLedger, neutralise } from '../../dist/src/actor/ledger.js'
import { createLedgerBuffer, GROWTH_SLOTS } from '../../dist/src/actor/ledger-buffer.js'
import { MAP_ANONYMOUS, MAP_PRIVATE, mmap, munmap } from '../../dist/src/device/libc.js'
import { detach, viewOf } from '../../dist/src/memory/view.js'

const PAGE = 4096
const pages = (count: number): number =>
  mmap({ length: count * PAGE, prot: 3, flags: MAP_PRIVATE | MAP_ANONYMOUS, what: 'pages' })

describe('the ledger of mappings', () => {
  it('lets a survivor put zero pages in the place of what is listed, and of nothing else', () => {
    const buffer = createLedgerBuffer()
    const ledger = new MappingLedger(buffer)
    const addresses = [pages(2), pages(2), pages(2)]
    const views = addresses.map((address) => viewOf(address, 2 * PAGE).fill(7))
    const slots = addresses.map((address) => ledger.record(address, PAGE))
    ledger.release([slots[1]!], () => {})
    expect(neutralise(buffer)).toBe(2)
    expect(views.map((view) => [view[0], view[PAGE]])).toEqual([
      [0, 7],
      [7, 7],
      [0, 7],
    ])
    expect(neutralise(buffer)).toBe(0)
    for (const view of views) detach(view)
    for (const address of addresses) munmap(address, 2 * PAGE)
  })

  it('has let a range go before it is unmapped, and takes it back when that fails', () => {
    const buffer = createLedgerBuffer()
    const ledger = new MappingLedger(buffer)
    const slot = ledger.record(PAGE, PAGE)
    const listed = (): number => new Float64Array(buffer)[slot * 2]!
    let during = -1
    expect(() =>
      ledger.release([slot], () => {
        during = listed()
        throw new Error('no')
      }),
    ).toThrow('no')
    expect([during, listed()]).toEqual([0, PAGE])
    ledger.release([slot], () => {})
    expect([listed(), ledger.record(2 * PAGE, PAGE)]).toEqual([0, slot])
  })

  it('grows with the number of mappings', () => {
    const buffer = createLedgerBuffer()
    const ledger = new MappingLedger(buffer)
    const slots = Array.from({ length: GROWTH_SLOTS + 1 }, (_, i) => ledger.record((i + 1) * PAGE, PAGE))
    expect(new Set(slots).size).toBe(slots.length)
    expect(new Float64Array(buffer)[GROWTH_SLOTS * 2]).toBe((GROWTH_SLOTS + 1) * PAGE)
  })
})
