// All benchmarks, one after the other, each in a process of its own: npm run bench
import { spawnSync } from 'node:child_process'

const benchmarks = [
  'fill',
  'threshold',
  'control-path',
  'event-loop',
  'fair-turns',
  'growth',
  'startup',
  'memory',
  'busy-main',
  'xenstore',
  'vchan',
  'services',
  'http',
  'streams',
  'events',
]
const only = process.argv.slice(2)
let failed = 0
for (const name of benchmarks.filter((name) => only.length === 0 || only.includes(name))) {
  const { status } = spawnSync(process.execPath, ['--expose-gc', `bench/${name}.mjs`], { stdio: 'inherit' })
  if (status !== 0) failed++
}
process.exitCode = failed === 0 ? 0 : 1
