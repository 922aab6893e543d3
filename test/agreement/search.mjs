import fc from 'fast-check'
import { Disagreement } from './both.mjs'
import { shorten } from './shorten.mjs'

/**
 * Runs random sequences until enough has been compared. One that fails is made as short as it can be, and repeated for its log.
 *
 * @param {fc.Arbitrary<object[]>} sequences
 * @param {{ seed: number, sequencesAtATime: number, shrinkingMs: number }} options for how long the shortest sequence is looked
 *   for by fast-check, 0 for not at all; what it has found by then is shortened further step by step
 * @param {{ run(steps: object[], log: string[]): Promise<unknown>, ran(result: unknown, log: string[]): void,
 *   enough(): boolean, after(log: string[]): string }} subject runs a sequence, is told of each that agreed, says when to stop,
 *   and how many operations a log is of
 * @throws when they disagree: with the seed, and with the shortest sequence found that shows it
 */
export async function search(
  sequences,
  { seed, sequencesAtATime, shrinkingMs },
  { run, ran, enough, after },
) {
  const property = fc.asyncProperty(sequences, async (steps) => {
    const log = []
    ran(await run(steps, log), log)
  })
  const shrinking =
    shrinkingMs === 0
      ? { endOnFailure: true }
      : { interruptAfterTimeLimit: shrinkingMs, markInterruptAsFailure: false }
  // A sequence counts after it has run, so the number of sequences is not known beforehand.
  for (let round = 0; !enough(); round++) {
    const result = await fc.check(property, { seed: seed + round, numRuns: sequencesAtATime, ...shrinking })
    if (!result.failed) continue
    const failureOf = (steps, log = []) =>
      run(steps, log).then(
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
    throw new Error(`${error.message}\n${after(log)}:\n  ${log.join('\n  ')}\n${again}`, {
      cause: result.errorInstance,
    })
  }
}
