// XEN_GRANTS_SEED=n repeats what went wrong. A thread that is terminated while it uses a grant: jobs.test.ts.
import { expect, it } from 'vitest'
import { FINE, rounds, SEED, TIMEOUT, trial } from './trial.js'

it.each([
  ['threadpool', 'jobs of zlib and crypto read and write a grant that is gone'],
  ['pipe', 'a read on a pipe arrives when its grant is gone'],
  ['streams', 'streams and transfers want the buffer of a grant'],
  ['fill', 'a grant is filled from one that is gone'],
  ['copy', 'grant copy into and out of a grant that is gone'],
  ['close', 'a mapper is closed while it maps'],
  ['polyfill', 'the global ReadableStream is a polyfill'],
])(`%s: %s (seed ${SEED})`, { timeout: TIMEOUT }, async (row) => {
  const result = await trial('misuse/run.mjs', { seed: SEED, rounds: rounds(3, 100), row })
  expect(result).toMatchObject(FINE)
})
