import { barChart } from './chart.mjs'

/**
 * The chart of a benchmark of the emulated machine: of what has something to be held against, as many times that, since the
 * figures differ a thousandfold.
 * @returns undefined when there is nothing such: a table says all
 */
export function emulatedChart({ suite, tests }) {
  const rows = tests.flatMap(({ name, rows }) => rows.map((one) => ({ ...one, name })))
  const compared = rows.filter(({ ratio }) => ratio !== undefined)
  if (compared.length === 0) return undefined
  const groups = compared.map(({ what, name, ways }) => {
    const entries = Object.entries(ways)
    const base = entries.at(-1)[1].median
    // The same is measured in other circumstances.
    const alone = compared.filter((other) => other.what === what).length === 1
    const label = alone ? what : `${what}; ${name}`
    return [label, Object.fromEntries(entries.map(([way, { median }]) => [way, { median: median / base }]))]
  })
  const last = Object.keys(compared[0].ways).at(-1)
  return barChart({ title: suite, unit: `times ${last}`, results: Object.fromEntries(groups) })
}
