import assert from 'node:assert/strict'
import { startToolstack } from '../guest/domains.mjs'
import { setLimit } from '../guest/module.mjs'

export default {
  name: 'demo',
  tests: [
    {
      name: 'what npm start runs shares the node binary on the real device, and its peer sees every byte of it, also over a stream',
      timeoutMs: 600_000,
      async run(t) {
        // Its service needs xenstored.
        await startToolstack()
        setLimit(t, 32_000)
        const { output, code, stderr } = await t.node('../../../dist/src/cli/main.js', 'demo').end()
        assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
        const text = output.join('\n')
        t.note(output.map((line) => line.trim()).join(' | '))
        assert.match(text, /Running on Xen/)
        assert.equal(text.match(/identical to the file/g)?.length, 2)
      },
    },
  ],
}
