import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { emulatedChart } from '../../../bench/lib/emulated-chart.mjs'
import { table } from '../../../bench/lib/table.mjs'

/** What a row says if its benchmark does not say it. */
const UNITS = { counted: 'thousands of instructions', wall: 'µs, emulated: compare, do not quote' }

/**
 * Prints what the benchmarks measured and keeps it.
 * @param directory for all of it, with every spread
 * @param results also a chart of each benchmark, and the figures in short, if given
 */
export function writeMeasurements(report, { directory, results, clock }) {
  const measured = report.tests.filter((test) => test.measured)
  const suites = new Map()
  for (const { suite, name, measured: found } of measured) {
    const unit = found.unit ?? UNITS[clock]
    printed(`${suite}: ${name}`, unit, found.rows)
    const one = suites.get(suite) ?? []
    one.push({ name, unit, rows: found.rows })
    suites.set(suite, one)
  }
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, emulated: 'QEMU TCG', clock }
  const content = {
    system: report.system,
    machine,
    counts: report.counts,
    suites: Object.fromEntries(suites),
  }
  writeFileSync(join(directory, 'bench.json'), `${JSON.stringify(content, null, 2)}\n`)
  if (!results) return
  for (const [suite, tests] of suites) {
    const name = `xen-${suite.toLowerCase().replaceAll(/[^a-z]+/g, '-')}`
    writeFileSync(join(results, `${name}.json`), `${JSON.stringify({ suite, clock, tests }, null, 2)}\n`)
    const chart = emulatedChart({ suite, tests })
    if (chart !== undefined) writeFileSync(join(results, `${name}.svg`), chart)
  }
}

function printed(title, unit, rows) {
  const ways = [...new Set(rows.flatMap((one) => Object.keys(one.ways)))]
  const cells = rows.map((one) => [
    one.what,
    ...ways.map((way) => (one.ways[way] ? spread(one.ways[way]) : '-')),
    one.ratio ?? '-',
    wanted(one),
  ])
  table(`${title} (${unit}; median, lowest to highest)`, ['', ...ways, 'times', 'wanted'], cells)
}

function spread({ median, low, high }) {
  return low === high ? String(median) : `${median} (${low} to ${high})`
}

/** In words, and whether it was reached. */
function wanted({ ways, ratio, most, times, least }) {
  const [ours] = Object.values(ways)
  if (most !== undefined) return `at most ${most}: ${verdict(ours.median <= most)}`
  if (times !== undefined) return `at most ${times} times: ${verdict(ratio <= times)}`
  if (least !== undefined) return `at least ${least} times: ${verdict(ratio >= least)}`
  return ''
}

const verdict = (met) => (met ? 'met' : 'missed')
