import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'

it('the check of the reference names what has no comment, and links that lead nowhere', () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['test/house/reference.mjs', '--check', 'test/house/fixtures/undocumented.ts'],
    { encoding: 'utf8' },
  )
  const said = stdout + stderr
  expect(said).toMatch(/\bTwo\b.* does not have any documentation/)
  expect(said).toMatch(/resolve.*Nothing/)
  expect(said).not.toMatch(/\b(One|three)\b.* does not have any documentation/)
  expect(status).toBe(1)
}, 120_000)
