import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { fencesOf } from './markdown.mjs'

const PAGE = 'docs/guides/from-c.md'
const HEADERS = ['xengnttab.h', 'xenevtchn.h', 'xenstore.h', 'libxenvchan.h']
const page = readFileSync(PAGE, 'utf8')

/** Of Debian's libxen-dev, which test/xen/install.sh installs. */
const there = existsSync('/usr/include/xengnttab.h')

it.skipIf(!there)('every C function that is named beside ours is one of the headers', () => {
  const declared = HEADERS.map((name) => readFileSync(`/usr/include/${name}`, 'utf8')).join('\n')
  const named = new Set(page.match(/\b(?:xengnttab|xengntshr|xenevtchn|libxenvchan|xs)_\w+/g))
  expect(named.size).toBeGreaterThan(40)
  expect([...named].filter((name) => !new RegExp(`\\b${name}\\b`).test(declared))).toEqual([])
})

it.skipIf(!there)('the C in the documents compiles', () => {
  const snippets = readdirSync('docs/guides').flatMap((name) =>
    fencesOf(readFileSync(`docs/guides/${name}`, 'utf8')).filter(({ language }) => language === 'c'),
  )
  expect(snippets).not.toEqual([])
  for (const { text } of snippets) {
    const headers = ['stdint.h', 'stdio.h', 'string.h', ...HEADERS].map((name) => `#include <${name}>\n`)
    execFileSync('gcc', ['-Wall', '-Werror', '-fsyntax-only', '-x', 'c', '-'], {
      input: `${headers.join('')}int main(void)\n{\n${text}return 0;\n}\n`,
    })
  }
})
