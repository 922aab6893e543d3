// Part of `npm run lint`: docs/exports.md says of every export of every entry point what it is, and of nothing else.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { allExports } from './exports.mjs'

export const PAGE = 'docs/exports.md'

/**
 * @param {{ specifier: string, names: string[] }[]} exported
 * @param {string} page Markdown: a heading for each entry point, below it tables whose first cells name exports in code
 */
export function findings(exported, page) {
  const found = []
  const listed = listedNames(page)
  for (const { specifier, names } of exported) {
    const inPage = listed.get(specifier) ?? new Set()
    for (const name of names)
      if (!inPage.has(name)) found.push(`${PAGE} does not say what ${name} of ${specifier} is`)
    for (const name of inPage)
      if (!names.includes(name)) found.push(`${PAGE} lists ${name}, which ${specifier} does not export`)
  }
  for (const specifier of listed.keys())
    if (!exported.some((one) => one.specifier === specifier))
      found.push(`${PAGE} lists ${specifier}, which is no entry point`)
  return found
}

/** @returns {Map<string, Set<string>>} by entry point */
function listedNames(page) {
  const listed = new Map()
  let names
  for (const line of page.split('\n')) {
    const heading = /^## `([^`]+)`$/.exec(line)?.[1]
    if (heading) {
      names = new Set()
      listed.set(heading, names)
    }
    const cell = /^\|([^|]*)\|/.exec(line)?.[1] ?? ''
    for (const [, name] of cell.matchAll(/`(\w+)`/g)) names?.add(name)
  }
  return listed
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const found = findings(allExports(root), readFileSync(join(root, PAGE), 'utf8'))
  for (const line of found) console.error(line)
  if (found.length > 0) process.exit(1)
}
