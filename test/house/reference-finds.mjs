// A part of `npm run lint`: the check of the reference (reference.mjs) finds what is wrong in a module made for it. Reading
// declarations takes it as long as a hundred tests.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'

const { status, stdout, stderr } = spawnSync(
  process.execPath,
  ['test/house/reference.mjs', '--check', 'test/house/fixtures/undocumented.ts'],
  { encoding: 'utf8' },
)
const said = stdout + stderr
assert.match(said, /\bTwo\b.* does not have any documentation/)
assert.match(said, /resolve.*Nothing/)
assert.doesNotMatch(said, /\b(One|three)\b.* does not have any documentation/)
assert.equal(status, 1, said)
