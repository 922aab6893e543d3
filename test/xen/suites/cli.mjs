import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { PAGE, peek } from '../guest/raw.mjs'

const MAIN = '../../../dist/src/cli/main.js'

export default {
  name: 'xen-grants',
  tests: [
    {
      name: 'doctor finds that pages can be granted here, and leaves nothing behind',
      async run(t) {
        const { output, code, stderr } = await t.node(MAIN, 'doctor', '--json').end()
        assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
        const { ready, findings } = JSON.parse(output.join('\n'))
        assert.equal(ready, true)
        const byCheck = Object.fromEntries(findings.map((finding) => [finding.check, finding]))
        assert.match(byCheck.xen.message, /control domain/)
        assert.equal(byCheck.device.status, 'ok')
        assert.deepEqual([byCheck.limit.status, byCheck['deferred pages'].status], ['ok', 'attention'])
        assert.match(byCheck.limit.message, /limit 1024 pages .* at least 1024 free/)
        assert.equal(t.gntalloc().allocate(0, 1, 1024).refs.length, 1024)
      },
    },
    {
      name: 'doctor says in words that a driver is not there',
      async run(t) {
        const { output, code } = await t.node(MAIN, 'doctor', '--device', '/dev/xen/absent').end()
        assert.equal(code, 1)
        assert.match(
          output.join('\n'),
          /does not exist[\s\S]*modprobe xen-gntalloc[\s\S]*No pages can be granted/,
        )
      },
    },
    {
      name: 'share holds a file for a domain until it is interrupted',
      async run(t) {
        const content = randomBytes(5 * PAGE + 1)
        writeFileSync('/tmp/shared', content)
        const program = t.node(MAIN, 'share', '--domid', 0, '--file', '/tmp/shared', '--json')
        const { domid, pages, bytes, writable, refs } = JSON.parse(await program.line())
        assert.deepEqual(
          { domid, pages, bytes, writable },
          { domid: 0, pages: 6, bytes: content.length, writable: false },
        )
        const peer = t.gntdev()
        const mapped = peer.map(refs, { writable: false })
        assert.ok(peek(mapped.address, content.length).equals(content))
        mapped.unmap()
        program.signal('SIGINT')
        assert.deepEqual(await program.end(), { output: [], code: 0, signal: null, stderr: '' })
        assert.ok(refs.every((ref) => !peer.canMap(ref)))
      },
    },
  ],
}
