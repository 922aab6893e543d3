// XEN_GRANTS_SEED=n repeats what went wrong.
import { expect, it } from 'vitest'
import { FINE, rounds, SEED, TIMEOUT, trial } from './trial.js'

it(`jobs in flight on pages that are taken back reach no other grant (seed ${SEED})`, {
  timeout: TIMEOUT,
}, async () => {
  const result = await trial('jobs.mjs', { seed: SEED, rounds: rounds(50, 10_000), others: 200 })
  expect(result).toMatchObject(FINE)
})

it(`a thread may be terminated at any moment of what it does with grants (seed ${SEED})`, {
  timeout: TIMEOUT,
}, async () => {
  const result = await trial('terminated.mjs', { seed: SEED, rounds: rounds(8, 2000), together: 4 })
  expect(result).toMatchObject(FINE)
})
