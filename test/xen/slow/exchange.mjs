import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { setLimit } from '../guest/module.mjs'

const TEN_MINUTES = 600_000

export default {
  name: 'exchange',
  tests: [
    {
      name: 'two processes exchange 1 GiB through 1024 pages each, SHA-256 equal at both ends',
      timeoutMs: TEN_MINUTES,
      run(t) {
        setLimit(t, 4096)
        const program = new URL('../../../examples/exchange.mjs', import.meta.url).pathname
        const { status, stdout, stderr } = spawnSync(
          process.execPath,
          [program, '--real', '--mebibytes', '512'],
          { encoding: 'utf8', timeout: TEN_MINUTES - 10_000 },
        )
        assert.deepEqual({ status, stderr }, { status: 0, stderr: '' }, stdout)
        assert.match(stdout, /^equal at both ends$/m)
        assert.match(stdout, /^pages the kernel still holds: 0$/m)
        for (const line of stdout.split('\n').slice(0, 2)) t.note(line)
      },
    },
  ],
}
