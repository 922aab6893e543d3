import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { setLimit } from './module.mjs'

const PROGRAM = new URL('../../../examples/exchange.mjs', import.meta.url).pathname

/** Two processes exchange so much each way, through 1024 pages each, and find it equal. @returns what they have printed */
export function exchange(t, mebibytes, timeout) {
  setLimit(t, 4096)
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [PROGRAM, '--real', '--mebibytes', String(mebibytes)],
    { encoding: 'utf8', timeout },
  )
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' }, stdout)
  assert.match(stdout, /^equal at both ends$/m)
  assert.match(stdout, /^pages the kernel still holds: 0$/m)
  return stdout
}
