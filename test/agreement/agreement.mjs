import assert from 'node:assert/strict'
import { Both } from './both.mjs'
import { EVENTS, EventInterpreter } from './event-interpreter.mjs'
import { GRANTING, Interpreter } from './interpreter.mjs'
import { KernelWorld } from './kernel-world.mjs'
import { MAPPING, MapInterpreter } from './map-interpreter.mjs'
import { search } from './search.mjs'
import { sequences } from './steps.mjs'

const PORTS = 2
const LIMIT = 40

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
 * @param {{ seed: number, operations: number, length: number, kind?: object, kernel?: unknown,
 *   shrinkingMs?: number }} options how many operations
 *   at least, how many steps a sequence has at most, of which of {@link kinds}, and see search.mjs
 * @returns how many operations and sequences there were; comparisons and the steps of the end do not count
 * @throws when they disagree: with the seed, and with the shortest sequence found that shows it
 */
export async function agree(
  world,
  { seed, operations, length, kind = kinds.granting, kernel, shrinkingMs = 30_000 },
) {
  const fresh = typeof world === 'function'
  const kept = fresh ? [] : await bindPorts(world)
  const runIn = async (steps, log) => {
    const other = fresh ? world() : world
    return runSequence(other, fresh ? await bindPorts(other) : kept, steps, log, kind, kernel)
  }
  const done = { operations: 0, sequences: 0 }
  await search(
    sequences(length, kind.weights),
    { seed, sequencesAtATime: 20, shrinkingMs },
    {
      run: runIn,
      ran(count) {
        done.operations += count
        done.sequences++
      },
      enough: () => done.operations >= operations,
      after: (log) => `after ${log.length} operations`,
    },
  )
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
