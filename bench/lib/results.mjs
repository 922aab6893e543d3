// Where results go: a table on the terminal; JSON and a chart in bench/results, if the machine was quiet.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { barChart } from './chart.mjs'
import { quietness } from './quiet.mjs'
import { median, spread, table } from './table.mjs'

const folder = new URL('../results/', import.meta.url)

function machine() {
  const kernel = readFileSync('/proc/version', 'utf8').split(' ').slice(0, 3).join(' ')
  return { node: process.version, cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown', kernel }
}

/**
 * @param {string} name of the files
 * @param {{ title: string, unit: string, lowerIsBetter?: boolean, baseline?: string, samples: Record<string, Record<string, number[]>> }} result
 * samples by case, then by candidate. With `baseline`, a candidate, the others are also held against it round by round: what
 * the machine does beside affects both of a round alike
 */
export function report(name, { title, unit, lowerIsBetter = true, baseline, samples }) {
  const candidates = [...new Set(Object.values(samples).flatMap((byCandidate) => Object.keys(byCandidate)))]
  const rows = Object.entries(samples).map(([label, byCandidate]) => [
    label,
    ...candidates.map((candidate) => cell(byCandidate[candidate])),
  ])
  table(
    `${title} (${unit}, median ± half the middle 80 %, ${lowerIsBetter ? 'less' : 'more'} is better)`,
    ['', ...candidates],
    rows,
  )
  if (baseline !== undefined) {
    const others = candidates.filter((candidate) => candidate !== baseline)
    const ratios = Object.entries(samples).map(([label, byCandidate]) => [
      label,
      ...others.map((candidate) => cell(ratiosOf(byCandidate, candidate, baseline))),
    ])
    table(`${title}, times ${baseline} in the same round`, ['', ...others], ratios)
  }
  const { others, quiet } = quietness()
  const part = `others used ${(others * 100).toFixed(0)} % of the processors`
  if (!quiet) {
    console.log(`\nNot kept: ${part} meanwhile. Ratios of one round still say something.`)
    return
  }
  console.log(`\n${part} meanwhile`)
  mkdirSync(folder, { recursive: true })
  const summary = Object.fromEntries(
    Object.entries(samples).map(([label, byCandidate]) => [
      label,
      Object.fromEntries(
        Object.entries(byCandidate).map(([candidate, values]) => [
          candidate,
          {
            median: median(values),
            spread: spread(values),
            rounds: values.length,
            ...(baseline && { ratio: median(ratiosOf(byCandidate, candidate, baseline)) }),
          },
        ]),
      ),
    ]),
  )
  const json = {
    title,
    unit,
    lowerIsBetter,
    machine: { ...machine(), others: Number(others.toFixed(3)) },
    results: summary,
  }
  writeFileSync(new URL(`${name}.json`, folder), `${JSON.stringify(json, null, 2)}\n`)
  writeFileSync(new URL(`${name}.svg`, folder), barChart(json))
}

function ratiosOf(byCandidate, candidate, baseline) {
  return byCandidate[candidate]?.map((value, round) => value / byCandidate[baseline][round])
}

function cell(values) {
  if (!values || values.length === 0) return '-'
  return `${short(median(values))} ± ${short(spread(values))}`
}

function short(value) {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3)
}
