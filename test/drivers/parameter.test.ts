import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { readParameter } from '../../src/drivers/parameter.js'

const folder = mkdtempSync(join(tmpdir(), 'xen-grants-parameter-'))
afterAll(() => rmSync(folder, { recursive: true }))

it.each([
  ['1024\n', 1024],
  ['-1\n', -1],
  ['0', 0],
  ['', undefined],
  ['Y\n', undefined],
  ['12 pages', undefined],
])('a parameter that reads %j is %s', (text, value) => {
  const path = join(folder, 'parameter')
  writeFileSync(path, text)
  expect(readParameter(path)).toBe(value)
})

it('one that is not there, or cannot be read, is unknown', () => {
  expect(readParameter(join(folder, 'none'))).toBeUndefined()
  expect(readParameter(folder)).toBeUndefined()
})
