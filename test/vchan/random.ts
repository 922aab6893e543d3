import { seedOf } from '../agreement/seed.mjs'

/** XEN_GRANTS_SEED=n repeats a run. */
export const SEED = seedOf(process.env)

/** An integer from 0 below its argument. */
export type Random = (below: number) => number

/** Mulberry32, so that a seed repeats a run. */
export function randomOf(seed: number): Random {
  let state = seed | 0
  return (below) => {
    state = (state + 0x6d2b_79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return Math.floor((((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}
