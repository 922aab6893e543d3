import { describe, expect, it } from 'vitest'
import { full, inSoak } from '../setup/soak.js'
import { FINE, rounds, TIMEOUT, trial } from './trial.js'

const GIB = 2 ** 30
const MIB = 2 ** 20

/** Mappings: V8's own heap has some hundreds, which come and go. */
const FLAT = { resident: 150 * MIB, mappings: 1000 }

// With a limit on the address space and, in a long run, also without.
describe.each([8, undefined].slice(0, rounds(1, 2)))('grants that come and go, in %s GiB', (addressSpace) => {
  it.each([
    { count: rounds(500, 100_000), pages: 1, most: { ...FLAT, size: GIB / 2 } },
    // Their references are garbage enough for V8 to collect by itself.
    { count: rounds(40, 5000), pages: 4096, most: { ...FLAT, size: GIB } },
  ])(
    '$count of $pages pages: address space is bounded, memory and mappings stay',
    {
      timeout: TIMEOUT,
    },
    async (args) => {
      expect(await trial('churn.mjs', args, { addressSpace })).toMatchObject(FINE)
    },
  )

  // 3 GiB have to come and go until the bound is seen.
  it.runIf(full)(
    `address space is bounded as documented when V8 sees no reason to collect${inSoak('15 seconds')}`,
    {
      timeout: TIMEOUT,
    },
    async () => {
      const args = { count: 1000, pages: 4096, most: { size: 3.1 * GIB } }
      const flags = ['--min-semi-space-size=256', '--max-semi-space-size=256']
      expect(await trial('churn.mjs', args, { flags, addressSpace })).toMatchObject(FINE)
    },
  )
})
