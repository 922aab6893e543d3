// Runs every suite in a process of its own and sends the results to the host: a suite that crashes takes nothing down
// with it. They run one after the other, but each process starts while the suite before it runs.
import { spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import { release } from 'node:os'
import { KernelLog } from './kernel-log.mjs'
import { encode } from './protocol.mjs'

const here = new URL('.', import.meta.url)
const config = JSON.parse(readFileSync(new URL('../config.json', here), 'utf8'))
const { only, seed, guarded } = config
const suites = new URL(`../../../${config.suites}/`, here)
/** Benchmarks and slow suites take as long as they have to. */
const SUITE_TIMEOUT_MS = config.suites === 'test/xen/suites' ? 420_000 : 1_800_000
/** Breaks the driver on purpose, so that whatever follows would run on a damaged one. */
const LAST = 'bugs.mjs'

const port = openSync('/dev/ttyS1', 'w')
let sequence = 0
let tests = 0

function send(event) {
  if (event.type === 'test') tests++
  const line = Buffer.from(encode(sequence++, event))
  // A serial port takes what fits.
  for (let sent = 0; sent < line.length; ) sent += writeSync(port, line, sent)
}

function fail(suite, name, error) {
  send({ type: 'test', suite, name, status: 'failed', error })
}

/** A process that has loaded the suite, or is about to, and waits for its turn. */
function startSuite(file) {
  const script = new URL('suite.mjs', here).pathname
  const child = spawn(
    process.execPath,
    [script, new URL(file, suites).href, only, guarded ? 'guarded' : ''],
    {
      stdio: ['pipe', 'inherit', 'pipe', 'pipe'],
      env: { ...process.env, XEN_GRANTS_SEED: String(seed) },
    },
  )
  // Until the file has said what it holds, a failure is the file's.
  let suite = file
  let pending = []
  let stderr = ''
  let partial = ''
  child.stderr.on('data', (chunk) => {
    stderr = (stderr + chunk).slice(-2000)
  })
  child.stdio[3].on('data', (chunk) => {
    const lines = (partial + chunk).split('\n')
    partial = lines.pop()
    for (const line of lines) {
      const event = JSON.parse(line)
      if (event.type === 'plan') {
        suite = event.suite
        pending = event.names
      } else {
        pending.shift()
        send(event)
      }
    }
  })
  // One that fails to load has ended when its turn comes; what is written to it then goes nowhere.
  child.stdin.on('error', () => {})
  const closed = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal })))

  return {
    async run() {
      let timedOut = false
      const timer = setTimeout(() => {
        timedOut = true
        child.kill('SIGKILL')
      }, SUITE_TIMEOUT_MS)
      child.stdin.end('go\n')
      const { code, signal } = await closed
      clearTimeout(timer)
      if (code === 0) return
      const how = timedOut
        ? `did not end within ${SUITE_TIMEOUT_MS / 1000} s`
        : `ended with ${signal ?? code}`
      const [running, ...unreached] = pending
      fail(suite, running ?? 'the suite ends by itself', `the process ${how}\n${stderr}`)
      for (const name of unreached) {
        send({
          type: 'test',
          suite,
          name,
          status: 'skipped',
          reason: 'not reached: the test before it crashed',
        })
      }
    },
  }
}

send({
  type: 'system',
  facts: {
    kernel: release(),
    xen: ['major', 'minor', 'extra']
      .map((part) => readFileSync(`/sys/hypervisor/version/${part}`, 'utf8').trim())
      .join('.')
      .replace('..', '.'),
    node: process.version,
    bootSeconds: Math.round(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])),
  },
})

const files = readdirSync(suites).filter(
  (name) => name.endsWith('.mjs') && (config.suite === undefined || name === config.suite),
)
files.sort((a, b) => (a === LAST) - (b === LAST) || a.localeCompare(b))
const kernelLog = new KernelLog()
/** What runs beside a benchmark is measured with it. */
const ahead = config.suites === 'bench/xen' ? 0 : 1
const started = []
for (const [i, file] of files.entries()) {
  for (const next of files.slice(started.length, i + 1 + ahead)) started.push(startSuite(next))
  await started[i].run()
  const trouble = kernelLog.newTrouble()
  if (trouble) fail(file, 'the kernel stays healthy', trouble)
}
send({ type: 'done', tests })
closeSync(port)
