// Whether a tag may be published: node scripts/release.mjs v1.2.3. Prints the dist-tag for the registry, as an output of a step.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// https://semver.org, without build metadata, which the registry would drop.
const VERSION = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/
const SECTIONS = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security']

/**
 * @param tag as pushed, `version` as in package.json, `changelog` its text
 * @returns why the tag must not be published; empty if it may
 */
export function objections(tag, version, changelog) {
  const found = []
  if (!VERSION.test(version)) found.push(`${version} in package.json is no version`)
  if (tag !== `v${version}`) found.push(`the tag is ${tag}, and package.json has version ${version}`)
  if (!releases(changelog).some((release) => release.version === version && release.date !== undefined))
    found.push(`CHANGELOG.md has no "## [${version}] - <date>"`)
  return [...found, ...changelogFaults(changelog)]
}

/** What is not as https://keepachangelog.com/en/1.1.0/ has it. */
export function changelogFaults(changelog) {
  const found = []
  for (const line of changelog.split('\n')) {
    if (
      line.startsWith('## ') &&
      !/^## \[(Unreleased\]|[^\]\s]+\] - \d{4}-\d\d-\d\d( \[YANKED\])?)$/.test(line)
    )
      found.push(`CHANGELOG.md: "${line}" is no heading of a version`)
    if (line.startsWith('### ') && !SECTIONS.includes(line.slice(4)))
      found.push(`CHANGELOG.md: "${line}" is none of ${SECTIONS.join(', ')}`)
  }
  const dates = releases(changelog)
    .map(({ date }) => date)
    .filter(Boolean)
  if (dates.some((date, i) => i > 0 && date > dates[i - 1]))
    found.push('CHANGELOG.md: the newest version is not first')
  return found
}

/** Versions with a hyphen are for those who ask for them. */
export function distTag(version) {
  return version.includes('-') ? 'next' : 'latest'
}

function releases(changelog) {
  const headings = changelog.matchAll(/^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?/gm)
  return [...headings].map(([, version, date]) => ({ version, date }))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  const found = objections(process.argv[2], version, readFileSync('CHANGELOG.md', 'utf8'))
  for (const line of found) console.error(line)
  if (found.length > 0) process.exit(1)
  console.log(`dist-tag=${distTag(version)}`)
}
