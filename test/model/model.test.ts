// Any sequence of what threads, peers and an administrator may do, against a model that says what must be so.
// XEN_GRANTS_SEED=n runs one sequence of sequences again; XEN_GRANTS_STEPS=n goes on for that many steps.
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { seedOf } from '../agreement/seed.mjs'
import { settle, verify } from './check.js'
import { Model } from './model.js'
import { steps } from './steps.js'
import { World } from './world.js'

/** A short walk: the long one is the soak run's, which repeats it with any seed. */
const STEPS = Number(process.env.XEN_GRANTS_STEPS ?? 250)
const SEED = seedOf(process.env)
/** Of one sequence, on average about half of it. */
const LONGEST = 500

class Command implements fc.AsyncCommand<Model, World> {
  constructor(
    readonly name: string,
    readonly pick: readonly number[],
  ) {}

  check(): boolean {
    return true
  }

  async run(model: Model, world: World): Promise<void> {
    await steps[this.name]!.step(model, world, this.pick)
    await settle(model, world)
    await verify(model, world)
  }

  toString(): string {
    return `${this.name}(${this.pick.join(', ')})`
  }
}

const kinds = Object.entries(steps).flatMap(([name, { weight }]) => Array<string>(weight).fill(name))
const command = fc
  .tuple(fc.constantFrom(...kinds), fc.tuple(fc.nat(999), fc.nat(999), fc.nat(999), fc.nat(999)))
  .map(([name, pick]) => new Command(name, pick))

let world: World
beforeAll(async () => {
  world = await World.create()
})
afterAll(async () => {
  await world.close()
  const { grants, pages, files, mappings, foreignMappings, deferred, tableUsed } = await world.xen.counters()
  await world.xen.close()
  expect([grants, pages, files, mappings, foreignMappings, deferred, tableUsed]).toEqual(Array(7).fill(0))
})

it(`${STEPS} steps of threads, peers and administrator agree with the model (seed ${SEED})`, async () => {
  let done = 0
  for (let seed = SEED; done < STEPS; seed++) {
    const sequence = fc.commands([command], { maxCommands: LONGEST, size: 'max' })
    const property = fc.asyncProperty(sequence, async (commands) => {
      const model = new Model()
      await world.reset(model)
      await fc.asyncModelRun(() => ({ model, real: world }), commands)
      done += model.steps
    })
    // The sequence as it was found; shrinking would go on in a world that has already gone wrong.
    await fc.assert(property, { seed, numRuns: 1, endOnFailure: true })
  }
  console.log(`model: ${done} steps from seed ${SEED}`)
}, 2_000_000_000)
