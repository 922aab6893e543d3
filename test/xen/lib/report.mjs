import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decode } from '../guest/protocol.mjs'

/**
 * Collects the results as they come in. Everything that makes the run untrustworthy (a lost line, a suite that never
 * ended) is a failed test of its own, so that the counts alone tell the truth.
 */
export class Report {
  tests = []
  system = {}
  done = false
  #expected = 0
  #print

  constructor(print) {
    this.#print = print
  }

  line(line) {
    let message
    try {
      message = decode(line)
    } catch (error) {
      this.fail('results', 'every result line arrives whole', error.message)
      return
    }
    if (!message) return
    const { sequence, event } = message
    if (sequence !== this.#expected) {
      this.fail('results', 'no result line is lost', `expected line ${this.#expected}, got ${sequence}`)
    }
    this.#expected = sequence + 1
    this.#take(event)
  }

  fail(suite, name, error) {
    this.#take({ type: 'test', suite, name, status: 'failed', error })
  }

  get counts() {
    const counts = { passed: 0, failed: 0, skipped: 0 }
    for (const { status } of this.tests) counts[status]++
    return counts
  }

  get summary() {
    const { passed, failed, skipped } = this.counts
    return `${passed} passed, ${failed} failed, ${skipped} skipped`
  }

  write(directory, run) {
    const { counts, system, tests } = this
    writeFileSync(
      join(directory, 'report.json'),
      `${JSON.stringify({ run, system, counts, tests }, null, 2)}\n`,
    )
    const facts = Object.entries({ ...system, ...run }).map(([name, value]) => `${name}: ${value}`)
    const lines = [...facts, '', ...tests.map(describe), '', this.summary]
    writeFileSync(join(directory, 'report.txt'), `${lines.join('\n')}\n`)
  }

  #take(event) {
    if (event.type === 'system') Object.assign(this.system, event.facts)
    else if (event.type === 'done') this.#finish(event.tests)
    else if (event.type === 'test') {
      const { type: _, ...test } = event
      this.tests.push(test)
      this.#print(describe(test))
    }
  }

  #finish(sent) {
    this.done = true
    const received = this.tests.length
    if (sent !== received) {
      this.fail('results', 'all results arrive', `the guest sent ${sent} results, ${received} arrived`)
    }
  }
}

const MARKS = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip' }

function describe({ suite, name, status, ms, reason, error, notes = [] }) {
  const time = ms === undefined ? '' : ` (${ms} ms)`
  const why = reason ? ` [${reason}]` : ''
  const details = error ? `\n${error.replace(/^/gm, '       ')}` : ''
  const remarks = notes.map((note) => `\n       ${note}`).join('')
  return `${MARKS[status]} ${suite} > ${name}${time}${why}${remarks}${details}`
}
