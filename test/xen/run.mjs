// Boots Xen and a Linux dom0 under software emulation, runs the suites of test/xen/suites in there against the real
// driver, and reports. See docs/testing-on-xen.md.
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Guard } from '../../bench/lib/guard.mjs'
import { newSeed, seedOf } from '../agreement/seed.mjs'
import { buildImage, workDirectory } from './lib/image.mjs'
import { writeMeasurements } from './lib/measurements.mjs'
import { findParts, whatIsMissing } from './lib/parts.mjs'
import { reports, repository } from './lib/paths.mjs'
import { compilePeers } from './lib/peers.mjs'
import { boot, bootInteractive, qemuCommand } from './lib/qemu.mjs'
import { Report } from './lib/report.mjs'

const GUARDED = join(repository, 'bench/xen/guarded.json')
const RESULTS = join(repository, 'bench/results')

const USAGE = `usage: node test/xen/run.mjs [options]

  --only <text>        run the tests whose "suite > name" contains this text
  --suite <file>       run this file of the suites alone, "vchan.mjs": --only loads every file to look for tests
  --timeout <seconds>  end the machine after this long (1800)
  --slow               run the suites of test/xen/slow instead, which are no part of the usual run
  --bench              run the benchmarks of bench/xen instead of the tests, on a clock that counts instructions
  --check              only those that are guarded: fails when one costs more than what is kept in bench/xen/guarded.json
  --update             keeps what they cost now
  --wall               benchmarks on the machine's own clock
  --counted            tests on the counting clock: no time-out of theirs depends on what else this machine does
  --keep               keep the work directory and print the QEMU command
  --shell              no tests: a shell in dom0 on this terminal (Ctrl-A X ends it)
`

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', default: '' },
        suite: { type: 'string' },
        timeout: { type: 'string' },
        bench: { type: 'boolean', default: false },
        check: { type: 'boolean', default: false },
        update: { type: 'boolean', default: false },
        wall: { type: 'boolean', default: false },
        slow: { type: 'boolean', default: false },
        counted: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        shell: { type: 'boolean', default: false },
      },
    })
    const seconds = Number(values.timeout ?? 1800)
    if (!(seconds > 0)) throw new Error(`--timeout takes a number of seconds, not "${values.timeout}"`)
    const guarded = values.check || values.update
    const bench = values.bench || guarded
    if (guarded && values.wall)
      throw new Error('what is guarded is counted: no --wall with --check or --update')
    return { ...values, seconds, guarded, bench, counted: values.counted || (bench && !values.wall) }
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`)
    process.exit(2)
  }
}

function buildPackage() {
  if (process.env.XEN_GRANTS_SKIP_BUILD) return
  const compiler = join(repository, 'node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], {
    cwd: repository,
    stdio: 'inherit',
  })
}

async function runSuites(command, work, options) {
  const report = new Report(console.log)
  const started = Date.now()
  const { outcome, trouble, lastLines } = await boot(command, {
    work,
    consoleLog: join(reports, 'console.log'),
    timeoutMs: options.seconds * 1000,
    onResultLine: (line) => report.line(line),
    isDone: () => report.done,
  })
  if (trouble.length > 0) report.fail('machine', 'no kernel trouble on the console', trouble[0])
  if (!report.done) report.fail('machine', 'the guest finishes', `QEMU: ${outcome} before the guest was done`)
  else if (outcome !== 'ended') report.fail('machine', 'the guest powers off', outcome)
  if (report.tests.length === 0)
    report.fail(
      'machine',
      'some test runs',
      `no test matches "${options.only}"${options.suite ? ` in ${options.suite}` : ''}`,
    )

  if (options.check) {
    for (const complaint of new Guard(GUARDED).complaints(report.tests))
      report.fail('guarded', 'costs no more', complaint)
  }
  const { failed } = report.counts
  if (options.update && failed === 0) new Guard(GUARDED).update(report.tests)
  if (trouble.length > 0 || outcome !== 'ended' || !report.done) {
    console.log(`\nlast lines of the console (all of it: reports/xen/console.log):\n${lastLines.join('\n')}`)
  }
  const seconds = Math.round((Date.now() - started) / 1000)
  // What the documents show is of whole suites on the counting clock.
  const whole = options.counted && !options.guarded && !options.only && failed === 0
  const results = whole ? RESULTS : undefined
  const clock = options.counted ? 'counted' : 'wall'
  if (options.bench) writeMeasurements(report, { directory: reports, results, clock })
  else report.write(reports, { seconds, outcome, only: options.only, seed })
  console.log(`\nXEN_GRANTS_SEED=${seed}, ${seconds} s`)
  console.log(`\n${report.summary}`)
  return failed === 0
}

const options = readArguments()
const missing = whatIsMissing()
if (missing) {
  console.error(missing)
  process.exit(1)
}
buildPackage()
mkdirSync(reports, { recursive: true })
const work = workDirectory()
process.on('SIGINT', () => process.exit(130))
process.on('SIGTERM', () => process.exit(143))
process.on('exit', () => {
  if (!options.keep) rmSync(work, { recursive: true, force: true })
})

// What is slow looks for what no walk has found yet.
const seed = options.slow && !process.env.XEN_GRANTS_SEED ? newSeed() : seedOf(process.env)
const parts = findParts()
const peers = compilePeers(work)
const suites = options.bench ? 'bench/xen' : `test/xen/${options.slow ? 'slow' : 'suites'}`
const { only, suite, shell, guarded } = options
const config = { only, suite, shell, guarded, suites, seed }
const image = buildImage(parts, { work, peers, config })
const command = qemuCommand(
  work,
  { ...parts, image },
  { interactive: options.shell, instructions: options.counted },
)
if (options.keep) {
  const quoted = command.map((word) => (/[ ,]/.test(word) ? `'${word}'` : word))
  console.log(`cd ${work} && ${quoted.join(' ')}`)
}
if (options.shell) await bootInteractive(command, work)
else process.exitCode = (await runSuites(command, work, options)) ? 0 : 1
