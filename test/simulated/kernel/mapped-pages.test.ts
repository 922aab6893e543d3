import { expect, it } from 'vitest'
import { MappedPages } from '../../../src/simulated/kernel/mapped-pages.js'

it('pages that are mapped are unmapped in any pieces, each once', () => {
  const pages = new MappedPages(4)
  for (const [first, count] of [
    [0, 5],
    [3, 2],
    [4, 1],
    [-1, 2],
    [0, 0],
  ] as const)
    expect(pages.has(first, count), `${count} from ${first}`).toBe(false)
  expect(pages.has(0, 4)).toBe(true)
  pages.remove(1, 2)
  expect([pages.has(0, 1), pages.has(0, 2), pages.has(2, 1), pages.has(2, 2), pages.has(3, 1)]).toEqual([
    true,
    false,
    false,
    false,
    true,
  ])
  pages.remove(3, 1)
  expect([pages.has(3, 1), pages.remaining]).toEqual([false, 1])
  pages.remove(0, 1)
  expect([pages.has(0, 1), pages.remaining]).toEqual([false, 0])
})
