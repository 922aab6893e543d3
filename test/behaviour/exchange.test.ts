import { expect, it } from 'vitest'
import { finished, node } from '../setup/process.js'

// The same program runs on a real Xen, see test/xen/suites/ends-api.mjs.
it('two processes exchange 1 GiB through 1024 pages each way, with equal SHA-256 at both ends', {
  timeout: 120_000,
}, async () => {
  const { code, stdout, stderr } = await finished(node('examples/exchange.mjs', '--mebibytes', '512'))
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toContain('equal at both ends')
  expect(stdout).toContain('pages the kernel still holds: 0')
})
