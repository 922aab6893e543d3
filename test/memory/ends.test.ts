// XEN_GRANTS_SEED=n repeats what went wrong.
import { expect, it } from 'vitest'
import { FINE, rounds, SEED, TIMEOUT, trial } from './trial.js'

it(`process.exit() at any moment of anything ends with the code asked for (seed ${SEED})`, {
  timeout: TIMEOUT,
}, async () => {
  const seeds = Array.from({ length: rounds(5, 500) }, (_, i) => SEED + i)
  for (const seed of seeds) {
    const { code, signal, stderr } = await trial('leave.mjs', { seed })
    expect({ seed, code, signal, stderr }).toEqual({ ...FINE, seed, code: 40 + (seed % 5) })
  }
})

it(`the device worker may die while several threads write (seed ${SEED})`, { timeout: TIMEOUT }, async () => {
  const result = await trial('worker-death.mjs', {
    seed: SEED,
    rounds: rounds(2, 200),
    threads: rounds(3, 8),
  })
  expect(result).toMatchObject(FINE)
})
