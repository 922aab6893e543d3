import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { changelogFaults, distTag, objections } from '../../scripts/release.mjs'

const CHANGELOG = `# Changelog

## [Unreleased]

## [1.1.0] - 2030-02-01

### Added

- Something.

## [1.0.0] - 2030-01-01
`

describe('a release', () => {
  it('is published when tag, package.json and changelog name the same version', () => {
    expect(objections('v1.1.0', '1.1.0', CHANGELOG)).toEqual([])
    expect(objections('v1.0.0', '1.0.0', CHANGELOG)).toEqual([])
  })

  it.each([
    ['1.1.0', '1.1.0', 'the tag is 1.1.0'],
    ['v1.1.0', '1.0.0', 'package.json has version 1.0.0'],
    ['v1.2.0', '1.2.0', 'no "## [1.2.0] - <date>"'],
    ['v1.01.0', '1.01.0', 'is no version'],
    ['vUnreleased', 'Unreleased', 'is no version'],
  ])('with tag %s and version %s is refused', (tag, version, why) => {
    expect(objections(tag, version, CHANGELOG).join()).toContain(why)
  })

  it('with a hyphen goes to those who ask for it', () => {
    expect([distTag('1.0.0'), distTag('1.0.0-rc.1')]).toEqual(['latest', 'next'])
  })
})

describe('the changelog', () => {
  it('has the usual form', () => {
    const text = readFileSync('CHANGELOG.md', 'utf8')
    expect(text).toContain('## [Unreleased]')
    expect(changelogFaults(text)).toEqual([])
  })

  it.each([
    ['## 1.0.0 (unreleased)', 'no heading of a version'],
    ['## [1.0.0] - 1 May', 'no heading of a version'],
    ['### News', 'none of Added'],
    ['## [1.0.0] - 2030-01-01\n## [1.1.0] - 2030-02-01', 'the newest version is not first'],
  ])('may not have %j', (text, why) => {
    expect(changelogFaults(text).join()).toContain(why)
  })
})
