// A million steps of the model; see test/model.test.ts.
// XEN_GRANTS_SEED=n starts from a seed, XEN_GRANTS_STEPS=n takes another number of steps.
import { spawnSync } from 'node:child_process'

const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', 'test/model.test.ts'],
  {
    stdio: 'inherit',
    env: { XEN_GRANTS_STEPS: '1000000', ...process.env },
  },
)
process.exit(status ?? 1)
