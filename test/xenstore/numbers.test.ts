import { expect, it } from 'vitest'
import { parseInteger } from '../../src/xenstore/numbers.js'

it.each([
  ['0', 0],
  ['7', 7],
  ['-7', -7],
  ['9007199254740991', 2 ** 53 - 1],
])('%j is a number', (text, value) => {
  expect(parseInteger(text)).toBe(value)
})

it.each([
  '',
  ' 7',
  '7 ',
  '+7',
  '07',
  '00',
  '-0',
  '-',
  '0x7',
  '7e0',
  '7.0',
  '7\0',
  '٧',
  '9007199254740993',
  '1e3',
])('%j is none', (text) => {
  expect(parseInteger(text)).toBeUndefined()
})

it('what is not in its range is none', () => {
  expect([-1, 0, 5, 6].map((value) => parseInteger(String(value), 0, 5))).toEqual([
    undefined,
    0,
    5,
    undefined,
  ])
})
