// What a program can import from this package: read from package.json and from the entry points themselves.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The entry points that have declarations.
 * @returns {{ specifier: string, source: string }[]} 'xen-grants/vchan' and 'src/vchan.ts'
 */
export function entryPoints(root) {
  const { name, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return Object.entries(exports)
    .map(([path, target]) => [path, declarationsOf(target)])
    .filter(([, types]) => types)
    .map(([path, types]) => ({
      specifier: name + path.slice(1),
      source: types.replace(/^\.\/dist\//, '').replace(/\.d\.ts$/, '.ts'),
    }))
}

/** Of one entry of `exports`, however its conditions are nested. */
function declarationsOf(target) {
  if (typeof target === 'string') return target.endsWith('.d.ts') ? target : undefined
  return target?.types
    ? declarationsOf(target.types)
    : Object.values(target ?? {})
        .map(declarationsOf)
        .find(Boolean)
}

/** `export { a, type B as C } from '…'`, `export type { D } from '…'` */
const LISTS = /^export (?:type )?\{([^}]*)\}/gm
/** `export class E`, `export function f`, … */
const DECLARATIONS =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:class|interface|type|function|const|let|enum) (\w+)/gm

/** The names that a module exports. @param {string} text its source */
export function exportedNames(text) {
  if (/^export (?:\*|default)/m.test(text)) throw new Error('an entry point must name what it exports')
  const listed = [...text.matchAll(LISTS)].flatMap(([, list]) =>
    list
      .split(',')
      .map((one) => one.trim())
      .filter((one) => one !== '')
      .map((one) => one.split(/\s+/).at(-1)),
  )
  const declared = [...text.matchAll(DECLARATIONS)].map(([, name]) => name)
  return [...new Set([...listed, ...declared])].sort()
}

/** @returns {{ specifier: string, names: string[] }[]} */
export function allExports(root) {
  return entryPoints(root).map(({ specifier, source }) => ({
    specifier,
    names: exportedNames(readFileSync(join(root, source), 'utf8')),
  }))
}
