import { agree } from '../../agreement/agreement.mjs'
import { seedOf } from '../../agreement/seed.mjs'
import { RealWorld } from '../guest/real-world.mjs'

const OPERATIONS = 10_000

export default {
  name: 'agreement',
  tests: [
    {
      name: 'the driver does what the simulated kernel does, whatever is asked of it',
      timeoutMs: 240_000,
      async run(t) {
        const seed = seedOf(process.env)
        t.note(`XEN_GRANTS_SEED=${seed}`)
        const world = new RealWorld(t)
        const { operations, sequences } = await agree(world, { seed, operations: OPERATIONS, length: 250 })
        t.note(`${operations} operations in ${sequences} sequences`)
        await world.end()
      },
    },
  ],
}
