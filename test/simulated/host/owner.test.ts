import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { isAbandoned, ownerText } from '../../../src/simulated/host/owner.js'

const folder = mkdtempSync(join(tmpdir(), 'xen-grants-owner-'))
afterAll(() => rmSync(folder, { recursive: true }))

const own = JSON.parse(ownerText()) as object
let made = 0
function abandoned(owner?: string): boolean {
  const directory = join(folder, String(made++))
  mkdirSync(directory)
  if (owner !== undefined) writeFileSync(join(directory, 'owner'), owner)
  return isAbandoned(directory)
}

it.each([
  ['this process', {}, false],
  ['one that had its number before', { started: '1' }, true],
  ['one that has ended', { pid: 2 ** 30 }, true],
  ['one of another container', { started: '1', namespace: 'pid:[1]' }, false],
])('a directory of %s is abandoned: %s', (_name, change, expected) => {
  expect(abandoned(JSON.stringify({ ...own, ...change }))).toBe(expected)
})

it.each([undefined, '', 'null', '{"pid":1}', '[]', 'no JSON'])(
  'one whose owner is %j is not ours to judge',
  (text) => {
    expect(abandoned(text)).toBe(false)
  },
)
