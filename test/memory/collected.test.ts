import { expect, it } from 'vitest'
import { FINE, rounds, TIMEOUT, trial } from './trial.js'

it('clients and servers that are closed leave nothing: no object, thread or address space', {
  timeout: TIMEOUT,
}, async () => {
  const args = { clients: rounds(20, 1000), servers: rounds(3, 100) }
  const result = await trial('collected.mjs', args, { flags: ['--expose-gc'] })
  expect(result).toMatchObject(FINE)
})
