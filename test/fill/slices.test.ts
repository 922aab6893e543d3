import { describe, expect, it } from 'vitest'
import { sliceAt, sliceCount } from '../../src/fill/slices.js'

const PAGE = 4096

describe('the slices of a range', () => {
  it('follow each other from its first byte to its last, cut at multiples from the page it begins in', () => {
    const places = [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE - 1, 3 * PAGE, 5 * PAGE + 7, 8 * PAGE]
    for (const sliceBytes of [PAGE, 3 * PAGE])
      for (const from of places)
        for (const to of places.filter((place) => place > from)) {
          const range = { from, to, sliceBytes }
          let at = from
          for (let index = 0; index < sliceCount(range); index++) {
            const { start, end, ...slice } = sliceAt(range, index)
            expect([slice, start]).toEqual([{ index }, at])
            expect(end).toBeGreaterThan(start)
            if (end < to) expect((end - (from - (from % PAGE))) % sliceBytes).toBe(0)
            at = end
          }
          expect([range, at]).toEqual([range, to])
        }
  })

  it('are none of nothing that begins with a page', () => {
    expect(sliceCount({ from: PAGE, to: PAGE, sliceBytes: PAGE })).toBe(0)
  })
})
