import { expect, it } from 'vitest'
import { anchorOf, findings } from './links.mjs'

it('the check of the links names files and headings that there are not, also from a folder below', () => {
  const documents = new Map([
    [
      'README.md',
      '# A title\n[one](docs/one.md#the-first-part) [two](docs/two.md) [web](https://example.org/)\n',
    ],
    [
      'docs/one.md',
      '## The first part\n[back](../README.md#a-title) [gone](../README.md#b) [here](#the-first-part)\n' +
        '```\n[no link](at-all.md)\n# No heading\n```\n[no](#no-heading) [dir](../src)',
    ],
  ])
  expect(findings(documents, (path) => path === 'src')).toEqual([
    'README.md links to docs/two.md: there is no docs/two.md',
    'docs/one.md links to ../README.md#b: there is no such heading',
    'docs/one.md links to #no-heading: there is no such heading',
  ])
})

it('anchors are those of the usual forge', () => {
  expect(anchorOf('What to watch')).toBe('what-to-watch')
  expect(anchorOf('Options of `GrantServer.open`')).toBe('options-of-grantserveropen')
  expect(anchorOf('libxengnttab: granting (`xengntshr`)')).toBe('libxengnttab-granting-xengntshr')
})
