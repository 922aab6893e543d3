// Runs the tests of one suite file one after the other and writes what comes out to descriptor 3, synchronously: what
// was reported before a crash is not lost with it.
import { writeSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { Context } from './context.mjs'

/** The URL of the suite's file. */
const [file, only, guarded] = process.argv.slice(2)
const TEST_TIMEOUT_MS = 60_000

const send = (event) => writeSync(3, `${JSON.stringify(event)}\n`)

async function runTest({ run, timeoutMs = TEST_TIMEOUT_MS }) {
  const context = new Context()
  let timer
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    // What a benchmark has measured; a test returns nothing.
    const measured = await Promise.race([run(context), timeout])
    return { notes: context.notes, measured }
  } finally {
    clearTimeout(timer)
    await context.cleanUp()
  }
}

/** The stack says what and where; the fields of a system error would repeat it at length. */
function textOf(error) {
  return String(error instanceof Error ? error.stack : error).slice(0, 4000)
}

const { default: suite } = await import(file)
const tests = suite.tests.filter(
  (test) => `${suite.name} > ${test.name}`.includes(only) && (!guarded || test.guarded),
)
send({ type: 'plan', suite: suite.name, names: tests.map(({ name }) => name) })
// The suite before may still be running: loading touches no device, and nothing else begins until it has ended.
await text(process.stdin)
for (const test of tests) {
  const result = { type: 'test', suite: suite.name, name: test.name }
  if (test.skip) {
    send({ ...result, status: 'skipped', reason: test.skip })
    continue
  }
  const started = performance.now()
  const ms = () => Math.round(performance.now() - started)
  try {
    const { notes, measured } = await runTest(test)
    send({ ...result, status: 'passed', ms: ms(), notes, measured })
  } catch (error) {
    send({ ...result, status: 'failed', ms: ms(), error: textOf(error) })
  }
}
// A test that timed out may have left something running.
process.exit(0)
