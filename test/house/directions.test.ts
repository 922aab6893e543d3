import { describe, expect, it } from 'vitest'
import { findings, readImports } from './directions.mjs'

const root = new URL('../..', import.meta.url).pathname

describe('the check of the directions', () => {
  it('finds nothing in this package', () => {
    expect(findings(readImports(root))).toEqual([])
  })

  it('names both files of an import that goes up', () => {
    const files = new Map([
      ['drivers/gntdev/linux-gntdev.ts', ['fill/fill.ts']],
      ['fill/fill.ts', []],
    ])
    expect(findings(files)).toEqual([
      'drivers/gntdev/linux-gntdev.ts imports fill/fill.ts, which is above it',
    ])
  })

  it('finds circles within a row, of types too', () => {
    const files = new Map([
      ['fill/a.ts', ['fill/b.ts']],
      ['fill/b.ts', ['fill/c.ts']],
      ['fill/c.ts', ['fill/a.ts']],
    ])
    expect(findings(files)).toEqual(['a circle: fill/a.ts → fill/b.ts → fill/c.ts → fill/a.ts'])
  })

  it('keeps what serves a real Xen from using the simulated one', () => {
    const files = new Map([
      ['grants/grant.ts', ['simulated/wire/codec.ts']],
      ['simulated/wire/codec.ts', []],
    ])
    expect(findings(files)).toEqual([
      'grants/grant.ts imports simulated/wire/codec.ts: only programs use the simulated Xen',
    ])
  })

  it('wants a row for every file', () => {
    expect(findings(new Map([['new/room.ts', []]]))).toEqual([
      'new/room.ts is in no row of test/house/directions.mjs',
    ])
  })

  it('sees static imports, types and dynamic imports', () => {
    const imports = readImports(root)
    expect(imports.get('workers/device.ts')).toContain('grants/worker/device-worker.ts')
    expect(imports.get('grants/grant.ts')).toContain('grants/handle.ts')
  })
})
