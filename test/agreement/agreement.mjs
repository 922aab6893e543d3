import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Both, Disagreement } from './both.mjs'
import { EVENTS, EventInterpreter } from './event-interpreter.mjs'
import { GRANTING, Interpreter } from './interpreter.mjs'
import { KernelWorld } from './kernel-world.mjs'
import { MAPPING, MapInterpreter } from './map-interpreter.mjs'
import { shorten } from './shorten.mjs'
import { sequences } from './steps.mjs'

const PORTS = 2
const LIMIT = 40
/** The shortest sequence found by then is shortened further step by step. */
const SHRINKING = { interruptAfterTimeLimit: 30_000, markInterruptAsFailure: false }

/** What may be done at random: by a granter and its peer, by a mapper, or with event channels. */
export const kinds = {
  granting: { weights: GRANTING, Interpreter },
  mapping: { weights: MAPPING, Interpreter: MapInterpreter },
  events: { weights: EVENTS, Interpreter: EventInterpreter },
}

/**
 * Does random sequences of operations to a world and to the simulated kernel, and compares every result.
 *
 * @param {import('../contract/world.ts').World | (() => World)} world or what makes one, for each sequence
 * @param {{ seed: number, operations: number, length: number, kind?: object, kernel?: unknown }} options how many operations
 *   at least, how many steps a sequence has at most, and of which of {@link kinds}
 * @returns how many operations and sequences there were; comparisons and the steps of the end do not count
 * @throws when they disagree: with the seed, and with the shortest sequence found that shows it
 */
export async function agree(world, { seed, operations, length, kind = kinds.granting, kernel }) {
  const fresh = typeof world === 'function'
  const kept = fresh ? [] : await bindPorts(world)
  const runIn = async (steps, log) => {
    const other = fresh ? world() : world
    return runSequence(other, fresh ? await bindPorts(other) : kept, steps, log, kind, kernel)
  }
  const done = { operations: 0, sequences: 0 }
  const run = async (steps) => {
    const log = []
    done.operations += await runIn(steps, log)
    done.sequences++
  }
  const property = fc.asyncProperty(sequences(length, kind.weights), run)
  // A sequence counts after it has run, so the number of sequences is not known beforehand.
  for (let round = 0; done.operations < operations; round++) {
    const result = await fc.check(property, { seed: seed + round, numRuns: 20, ...SHRINKING })
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
    throw new Error(`${error.message}\nafter ${log.length} operations:\n  ${log.join('\n  ')}\n${again}`, {
      cause: result.errorInstance,
    })
  }
  return done
}

async function bindPorts(world) {
  const ports = []
  for (let i = 0; i < PORTS; i++) ports.push(await world.bindPort())
  return ports
}

/** @returns how many steps did something. @throws Disagreement (both.mjs) */
async function runSequence(world, otherPorts, steps, log, kind, kernel) {
  const reference = new KernelWorld({ limit: LIMIT, kernel, paravirtualised: world.paravirtualised })
  const ports = []
  for (const port of otherPorts) ports.push([await reference.bindPort(), port])
  const worlds = [reference, world]
  const both = new Both(worlds, log)
  const interpreter = new kind.Interpreter(both, worlds, ports)
  let operations = 0
  await world.setLimit(LIMIT)
  try {
    await interpreter.begin()
    for (const { op, ...operands } of steps) await interpreter[op](operands)
    operations = log.length
    await interpreter.finish()
  } catch (error) {
    await interpreter.held.giveBack()
    for (const port of otherPorts) await world.silent(port)
    throw error
  }
  await reference.end()
  // The driver tells its count to nobody. When the limit can be had, it is 0.
  await world.setLimit(LIMIT)
  const device = world.open()
  assert.equal(device.allocate(world.domid, 0, LIMIT).refs.length, LIMIT)
  device.close()
  return operations
}
