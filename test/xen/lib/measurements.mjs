import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'

/** Prints what the benchmarks measured as a table and keeps it as bench.json, with every spread. */
export function writeMeasurements(report, directory) {
  const measured = report.tests.filter((test) => test.measured)
  for (const { suite, name, measured: table } of measured) {
    console.log(`\n${suite}, ${name} (${table.unit}; median, lowest to highest)`)
    for (const row of table.rows) console.log(describe(row))
  }
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, emulated: 'QEMU TCG: compare, do not quote' }
  const content = { system: report.system, machine, counts: report.counts, tests: report.tests }
  writeFileSync(join(directory, 'bench.json'), `${JSON.stringify(content, null, 2)}\n`)
}

function describe({ what, ratio, target, ...ways }) {
  const numbers = Object.entries(ways)
    .filter(([, value]) => typeof value === 'object')
    .map(([way, { median, low, high }]) => `${way} ${median} (${low} to ${high})`)
  const goal = target ? `, target ${target}` : ''
  return `  ${what}: ${numbers.join(', ')}; ratio ${ratio.toFixed(2)}${goal}`
}
