import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Guard, type MeasuredTest } from '../../bench/lib/guard.mjs'

let folder: string
let file: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'guard-'))
  file = join(folder, 'guarded.json')
})

afterEach(() => rmSync(folder, { recursive: true }))

function measured(ours: number, theirs: number, what = 'round trip'): MeasuredTest[] {
  const ways = { 'xen-grants': { low: ours }, C: { low: theirs } }
  return [{ suite: 'events', measured: { rows: [{ what, ways }] } }]
}

describe('what the benchmarks of the emulated Xen are held against', () => {
  it('is the ratio to C: a kernel on which both take longer changes nothing', () => {
    new Guard(file).update(measured(70, 35))
    expect(new Guard(file).complaints(measured(140, 70))).toEqual([])
  })

  it('allows what two runs may differ by, and no more', () => {
    new Guard(file).update(measured(70, 35))
    expect(new Guard(file).complaints(measured(73.4, 35))).toEqual([])
    const [complaint] = new Guard(file).complaints(measured(74, 35))
    expect(complaint).toMatch(/^events: round trip: 2\.114 times C, 6 % more than the 2 that are kept/)
  })

  it('says what is measured and not kept, and what is kept and not measured', () => {
    new Guard(file).update(measured(70, 35))
    expect(new Guard(file).complaints(measured(70, 35, 'another'))).toEqual([
      expect.stringMatching(/^events: round trip: not measured/),
      expect.stringMatching(/^events: another: 2 times C, and no figure is kept/),
    ])
  })

  it('holds nothing against what has nothing in C beside it', () => {
    const rows = [{ what: 'part', ways: { 'xen-grants': { low: 1 } } }]
    const tests = [{ suite: 'where it goes', measured: { rows } }, { suite: 'failed' }]
    expect(new Guard(file).complaints(tests)).toEqual([])
  })
})
