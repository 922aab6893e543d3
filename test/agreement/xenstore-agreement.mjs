import fc from 'fast-check'
import { Both, Disagreement } from './both.mjs'
import { shorten } from './shorten.mjs'
import { sequences } from './steps.mjs'
import { OXSTORE, STORE, StoreInterpreter } from './xenstore-interpreter.mjs'
import { SimulatedStore } from './xenstore-worlds.mjs'

const SHRINKING = { interruptAfterTimeLimit: 60_000, markInterruptAsFailure: false }

/**
 * Does random requests from several connections and domains to the simulated xenstored and to another, and compares every
 * reply and every event.
 *
 * @param {() => Promise<object>} startOther a world (xenstore-worlds.mjs), a new one for each sequence
 * @param {{ seed: number, requests: number, length: number, flavour?: 'c' | 'ocaml', simulated?: () => SimulatedStore }} options
 *   how many requests at least, how many steps a sequence has at most, and whose rules both follow
 * @returns how many requests and sequences there were
 * @throws when they disagree: with the seed, and with the shortest sequence found that shows it
 */
export async function agreeOnStore(
  startOther,
  { seed, requests, length, flavour = 'c', simulated = () => new SimulatedStore(flavour) },
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
  const property = fc.asyncProperty(sequences(length, flavour === 'c' ? STORE : OXSTORE), async (steps) => {
    const log = []
    await runIn(steps, log)
    done.requests += log.length
    done.sequences++
  })
  for (let round = 0; done.requests < requests; round++) {
    const result = await fc.check(property, { seed: seed + round, numRuns: 5, ...SHRINKING })
    if (!result.failed) continue
    const failureOf = (steps, log = []) =>
      runIn(steps, log).then(
        () => undefined,
        (error) => error,
      )
    const fails = async (steps) => (await failureOf(steps)) instanceof Disagreement
    const steps = await shorten(result.counterexample[0], fails)
    const log = []
    const error =
      (await failureOf(steps, log)) ??
      new Error(`${result.errorInstance.message}\nbut not when it was repeated`)
    const again = `XEN_GRANTS_SEED=${seed} (round ${round}, ${result.numShrinks} times shrunk)`
    throw new Error(`${error.message}\nafter:\n  ${log.join('\n  ')}\n${again}`, {
      cause: result.errorInstance,
    })
  }
  return done
}
