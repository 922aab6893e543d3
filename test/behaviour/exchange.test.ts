import { expect, it } from 'vitest'
import { rounds } from '../memory/trial.js'
import { finished, node } from '../setup/process.js'

const MEBIBYTES = rounds(32, 512)

// The same program runs on a real Xen, see test/xen/suites/ends-api.mjs.
it(`two processes exchange ${MEBIBYTES} MiB each way through 1024 pages, with equal SHA-256 at both ends`, {
  timeout: 120_000,
}, async () => {
  const { code, stdout, stderr } = await finished(
    node('examples/exchange.mjs', '--mebibytes', String(MEBIBYTES)),
  )
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toContain('equal at both ends')
  expect(stdout).toContain('pages the kernel still holds: 0')
})
