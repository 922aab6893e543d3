// Boots Xen and a Linux dom0 under software emulation, runs the suites of test/xen/suites in there against the real
// driver, and reports. See docs/testing-on-xen.md.
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { newSeed, seedOf } from '../agreement/seed.mjs'
import { buildImage, workDirectory } from './lib/image.mjs'
import { writeMeasurements } from './lib/measurements.mjs'
import { findParts, whatIsMissing } from './lib/parts.mjs'
import { reports, repository } from './lib/paths.mjs'
import { compilePeers } from './lib/peers.mjs'
import { boot, bootInteractive, qemuCommand } from './lib/qemu.mjs'
import { Report } from './lib/report.mjs'

const USAGE = `usage: node test/xen/run.mjs [options]

  --only <text>        run the tests whose "suite > name" contains this text
  --suite <file>       run this file of the suites alone, "vchan.mjs": --only loads every file to look for tests
  --timeout <seconds>  end the machine after this long (1800)
  --slow               run the suites of test/xen/slow instead, which are no part of the usual run
  --bench              run the benchmarks of bench/xen instead of the tests
  --instructions       run the suites of test/xen/instructions instead, on a clock that counts instructions
  --counted            tests on that clock: no time-out of theirs depends on what else this machine does
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
        instructions: { type: 'boolean', default: false },
        slow: { type: 'boolean', default: false },
        counted: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        shell: { type: 'boolean', default: false },
      },
    })
    const seconds = Number(values.timeout ?? 1800)
    if (!(seconds > 0)) throw new Error(`--timeout takes a number of seconds, not "${values.timeout}"`)
    return { ...values, seconds }
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

  const { failed } = report.counts
  if (trouble.length > 0 || outcome !== 'ended' || !report.done) {
    console.log(`\nlast lines of the console (all of it: reports/xen/console.log):\n${lastLines.join('\n')}`)
  }
  const seconds = Math.round((Date.now() - started) / 1000)
  if (options.bench) writeMeasurements(report, reports)
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
const kind = ['slow', 'instructions'].find((name) => options[name]) ?? 'suites'
const suites = options.bench ? 'bench/xen' : `test/xen/${kind}`
const config = { only: options.only, suite: options.suite, shell: options.shell, suites, seed }
const image = buildImage(parts, { work, peers, config })
const command = qemuCommand(
  work,
  { ...parts, image },
  { interactive: options.shell, instructions: options.instructions || options.counted },
)
if (options.keep) {
  const quoted = command.map((word) => (/[ ,]/.test(word) ? `'${word}'` : word))
  console.log(`cd ${work} && ${quoted.join(' ')}`)
}
if (options.shell) await bootInteractive(command, work)
else process.exitCode = (await runSuites(command, work, options)) ? 0 : 1
