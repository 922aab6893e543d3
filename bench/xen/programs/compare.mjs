import { row, summary } from './statistics.mjs'
import { talk } from './talk.mjs'

const ROUNDS = 11

/**
 * What one operation costs in each way. They take turns: on a real clock what the machine does beside disturbs all alike.
 * @param {Record<string, (operations: number) => Promise<number>>} ways the nanoseconds that so many operations take. On the
 * emulated machine's counting clock, that is instructions
 * @returns a row of a table: thousands of instructions of one operation, or microseconds
 */
export async function compare(what, operations, ways, { rounds = ROUNDS, ...facts } = {}) {
  const samples = {}
  for (let round = -1; round < rounds; round++) {
    for (const [way, run] of Object.entries(ways)) {
      samples[way] ??= []
      const each = (await run(operations)) / operations / 1000
      // The first is for warming up.
      if (round >= 0) samples[way].push(each)
    }
  }
  const summaries = Object.entries(samples).map(([way, values]) => [way, summary(values)])
  return row(what, Object.fromEntries(summaries), facts)
}

/** @returns the nanoseconds it takes */
export async function timed(work) {
  const began = performance.now()
  await work()
  return (performance.now() - began) * 1e6
}

export function all(count, make) {
  return Promise.all(Array.from({ length: count }, (_, i) => make(i)))
}

/** A program of c/, ready, as a way to compare: it does `each` operations for each time that it is asked for. */
export async function inC(name, args, { each = 1 } = {}) {
  const program = talk(`/peers/${name}`, ...args)
  const ready = await program.line()
  if (ready !== 'ready') throw new Error(`${name}: ${ready}`)
  return {
    async run(operations) {
      const answer = await program.ask(operations / each)
      if (answer.startsWith('error')) throw new Error(`${name}: ${answer}`)
      return Number(answer)
    },
    end: () => program.end(),
  }
}
