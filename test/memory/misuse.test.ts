// XEN_GRANTS_SEED=n repeats what went wrong. A thread that is terminated while it uses a grant: jobs.test.ts.
import { expect, it } from 'vitest'
import { FINE, rounds, SEED, TIMEOUT, trial } from './trial.js'

/** What no later row is to find changed has a process of its own. */
const ALONE = 'polyfill'
const rows = [
  ['threadpool', 'jobs of zlib and crypto read and write a grant that is gone'],
  ['pipe', 'a read on a pipe arrives when its grant is gone'],
  ['streams', 'streams and transfers want the buffer of a grant'],
  ['fill', 'a grant is filled from one that is gone'],
  ['copy', 'grant copy into and out of a grant that is gone'],
  ['close', 'a mapper is closed while it maps'],
  [ALONE, 'the global ReadableStream is a polyfill'],
] as const

/** In a short run one process has all the others, since to start it takes longer than they do: its error names the row. */
const each = rows.map(([row, what]) => ({ rows: [row as string], what: what as string }))
const [last] = each.filter(({ rows }) => rows[0] === ALONE)
const together = { rows: rows.map(([row]) => row).filter((row) => row !== ALONE), what: 'each in turn' }

it.each(rounds(0, 1) === 1 ? each : [together, last!])(
  `$rows: $what (seed ${SEED})`,
  { timeout: TIMEOUT },
  async (args) => {
    const result = await trial('misuse/run.mjs', { seed: SEED, rounds: rounds(2, 100), rows: args.rows })
    expect(result).toMatchObject(FINE)
  },
)
