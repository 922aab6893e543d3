import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { findings, PAGE } from './documented.mjs'
import { allExports, exportedNames } from './exports.mjs'

const root = new URL('../..', import.meta.url).pathname

const PAGE_OF_TWO = `
## \`shop\`
| export | what it is |
| --- | --- |
| \`Till\`, \`Drawer\` | takes a \`Coin\` |

## \`shop/back\`
| \`Shelf\` | holds |
`

describe('the check of the exports', () => {
  it('finds nothing in this package', () => {
    expect(findings(allExports(root), readFileSync(PAGE, 'utf8'))).toEqual([])
  })

  it('names an export that no table has, also one that only another entry point lists or a text mentions', () => {
    const exported = [
      { specifier: 'shop', names: ['Till', 'Drawer', 'Shelf', 'Coin'] },
      { specifier: 'shop/back', names: ['Shelf'] },
    ]
    expect(findings(exported, PAGE_OF_TWO)).toEqual([
      'docs/exports.md does not say what Shelf of shop is',
      'docs/exports.md does not say what Coin of shop is',
    ])
  })

  it('names what is listed and not exported, and entry points that are gone', () => {
    expect(findings([{ specifier: 'shop', names: ['Till'] }], PAGE_OF_TWO)).toEqual([
      'docs/exports.md lists Drawer, which shop does not export',
      'docs/exports.md lists shop/back, which is no entry point',
    ])
  })

  it('sees exports in lists and declarations, by the names that programs use', () => {
    const text = `export { type A, b } from './a.js'
export type { C, D as E } from './c.js'
export class F {}
export async function g() {}
class Hidden {}`
    expect(exportedNames(text)).toEqual(['A', 'C', 'E', 'F', 'b', 'g'])
    expect(() => exportedNames("export * from './a.js'")).toThrow('must name what it exports')
  })

  it('sees every entry point of this package', async () => {
    for (const { specifier, names } of allExports(root)) {
      const values = Object.keys(await import(specifier))
      expect(values.length).toBeGreaterThan(0)
      expect(names).toEqual(expect.arrayContaining(values))
    }
  })
})
