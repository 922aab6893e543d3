// The segments of a copy, as numbers. Whatever arrives in the worker is checked: Xen copies to the address that comes of it.
import { describe, expect, it } from 'vitest'
import { decodeSegments, encodeSegments } from '../../src/mapping/copy-message.js'

const PAGE = 4096
const refused = expect.objectContaining({ code: 'ERR_GRANTS_PROTOCOL' })
const buffer = new SharedArrayBuffer(2 * PAGE)
const grant = { domid: 3, ref: 8, offset: 0 }

/** Of one segment: the length, a grant, and a place in memory. */
const message = (numbers: number[], buffers: unknown = [buffer]) => ({
  numbers: Float64Array.from(numbers),
  buffers,
})

describe('a copy on its way to the worker', () => {
  it('arrives as it was sent, each buffer once', () => {
    const segments = [
      { source: grant, target: { buffer, offset: PAGE }, length: PAGE },
      { source: { buffer, offset: 5 }, target: { ...grant, offset: 6 }, length: 7 },
    ]
    const sent = encodeSegments(segments)
    expect(sent.buffers).toEqual([buffer])
    expect(decodeSegments(sent)).toEqual(segments)
  })

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['no numbers', { buffers: [] }],
    ['numbers of another kind', { numbers: [1, 3, 8, 0, 3, 8, 0], buffers: [] }],
    ['half a segment', message([1, 3, 8, 0])],
    ['no buffers', message([1, 3, 8, 0, -1, 0, 0], null)],
    ['a buffer of its own', message([1, 3, 8, 0, -1, 0, 0], [new ArrayBuffer(PAGE)])],
    ['a buffer that there is not', message([1, 3, 8, 0, -1, 1, 0])],
    ['a negative buffer', message([1, 3, 8, 0, -1, -1, 0])],
    ['an offset behind the end of its buffer', message([2, 3, 8, 0, -1, 0, 2 * PAGE - 1])],
    ['a negative offset', message([1, 3, 8, 0, -1, 0, -1])],
    ['an offset that is no number', message([1, 3, 8, 0, -1, 0, Number.NaN])],
    ['a length of nothing', message([0, 3, 8, 0, -1, 0, 0])],
    ['a length beyond a page', message([PAGE + 1, 3, 8, 0, -1, 0, 0])],
    ['a length that is no number', message([Number.NaN, 3, 8, 0, -1, 0, 0])],
    ['a grant beyond its page', message([2, 3, 8, PAGE - 1, -1, 0, 0])],
    ['a domain that there is not', message([1, 0x1_0000, 8, 0, -1, 0, 0])],
    ['reference 0', message([1, 3, 0, 0, -1, 0, 0])],
    ['a reference too large', message([1, 3, 2 ** 32, 0, -1, 0, 0])],
    ['a bad segment behind a good one', message([1, 3, 8, 0, -1, 0, 0, 1, 3, 8, 0, -1, 0, 2 * PAGE])],
  ])('is refused with %s', (_name, sent) => {
    expect(() => decodeSegments(sent)).toThrow(refused)
  })
})
