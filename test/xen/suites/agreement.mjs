import { agree, kinds } from '../../agreement/agreement.mjs'
import { seedOf } from '../../agreement/seed.mjs'
import { RealWorld } from '../guest/real-world.mjs'

const OPERATIONS = { granting: 10_000, mapping: 4000, events: 3000 }

async function run(t, kind) {
  const seed = seedOf(process.env)
  t.note(`XEN_GRANTS_SEED=${seed}`)
  const world = new RealWorld(t)
  const options = { seed, operations: OPERATIONS[kind], length: 250, kind: kinds[kind] }
  const { operations, sequences } = await agree(world, options)
  t.note(`${operations} operations in ${sequences} sequences`)
  await world.end()
}

export default {
  name: 'agreement',
  tests: [
    {
      name: 'the driver does what the simulated kernel does, whatever is asked of it',
      timeoutMs: 240_000,
      run: (t) => run(t, 'granting'),
    },
    {
      name: 'so does the mapping driver',
      timeoutMs: 240_000,
      run: (t) => run(t, 'mapping'),
    },
    {
      name: 'and the event channel driver',
      timeoutMs: 240_000,
      run: (t) => run(t, 'events'),
    },
  ],
}
