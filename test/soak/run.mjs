// A million steps of the model (test/model/model.test.ts), ten thousand requests to the simulated xenstored and a real one and
// hundreds of thousands of operations of the simulated devices (test/agreement), a hundred thousand writes of a fuzzer to the page
// of a vchan, a thousand vchans and 64 MiB through the smallest (test/vchan), a thousand connections of forty processes that are
// killed at random (test/net/crowd.test.ts), 1 GiB between two processes, the contract of xenstore through one more device, the guide
// that test/xen/suites/guides.mjs follows, in the simulation, then the memory trials at full length (test/memory).
// XEN_GRANTS_SEED=n starts from a seed, which is otherwise another in each run; XEN_GRANTS_STEPS=n takes another number of steps,
// XEN_GRANTS_CONNECTIONS=n makes the crowd stay longer.
// Names of test files, or parts of them, run only those: `npm run test:soak test/memory`.
import { spawnSync } from 'node:child_process'
import { newSeed } from '../agreement/seed.mjs'

const files = process.argv.slice(2)
if (files.length === 0)
  files.push(
    'test/model/model.test.ts',
    'test/simulated/kernel/model',
    'test/agreement',
    'test/grants/worker/protocol.test.ts',
    'test/vchan/fuzz.test.ts',
    'test/vchan/many.test.ts',
    'test/vchan/ring.test.ts',
    'test/vchan/stream.test.ts',
    'test/net/crowd.test.ts',
    'test/behaviour/exchange.test.ts',
    'test/xenstore/contract.test.ts',
    'test/guides/guest-program.test.ts',
    'test/memory',
  )
const XEN_GRANTS_SEED = process.env.XEN_GRANTS_SEED || String(newSeed())
console.log(`XEN_GRANTS_SEED=${XEN_GRANTS_SEED}`)
const { status } = spawnSync(
  process.execPath,
  // One after the other: they look at the size of their processes, and have the machine to themselves.
  ['node_modules/vitest/vitest.mjs', 'run', '--no-file-parallelism', ...files],
  {
    stdio: 'inherit',
    env: {
      XEN_GRANTS_STEPS: '1000000',
      XEN_GRANTS_REQUESTS: '10000',
      XEN_GRANTS_ROUNDS: '100000',
      XEN_GRANTS_TRIALS: 'full',
      ...process.env,
      XEN_GRANTS_SEED,
    },
  },
)
process.exit(status ?? 1)
