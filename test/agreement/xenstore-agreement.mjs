import { Both } from './both.mjs'
import { search } from './search.mjs'
import { sequences } from './steps.mjs'
import { OXSTORE, STORE, StoreInterpreter } from './xenstore-interpreter.mjs'
import { SimulatedStore } from './xenstore-worlds.mjs'

/**
 * Does random requests from several connections and domains to the simulated xenstored and to another, and compares every
 * reply and every event.
 *
 * @param {() => Promise<object>} startOther a world (xenstore-worlds.mjs), a new one for each sequence
 * @param {{ seed: number, requests: number, length: number, flavour?: 'c' | 'ocaml', simulated?: () => SimulatedStore,
 *   shrinkingMs?: number }} options
 *   how many requests at least, how many steps a sequence has at most, whose rules both follow, and see search.mjs
 * @returns how many requests and sequences there were
 * @throws when they disagree: with the seed, and with the shortest sequence found that shows it
 */
export async function agreeOnStore(
  startOther,
  {
    seed,
    requests,
    length,
    flavour = 'c',
    simulated = () => new SimulatedStore(flavour),
    shrinkingMs = 60_000,
  },
) {
  const done = { requests: 0, sequences: 0 }
  const runIn = async (steps, log) => {
    const worlds = [simulated(), await startOther()]
    const interpreter = new StoreInterpreter(new Both(worlds, log), worlds, flavour)
    try {
      await interpreter.begin()
      for (const { op, ...operands } of steps) await interpreter[op](operands)
      await interpreter.finish()
    } finally {
      await interpreter.close()
      for (const world of worlds) await world.end()
    }
  }
  await search(
    sequences(length, flavour === 'c' ? STORE : OXSTORE),
    { seed, sequencesAtATime: 5, shrinkingMs },
    {
      run: runIn,
      ran(_, log) {
        done.requests += log.length
        done.sequences++
      },
      enough: () => done.requests >= requests,
      after: () => 'after',
    },
  )
  return done
}
