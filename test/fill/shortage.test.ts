// Filler threads that cannot be started because the process is at its limit of open files.
import { describe, expect, it } from 'vitest'
import { finished, nodeWithFiles } from '../setup/process.js'

const program = `
import { closeSync, openSync } from 'node:fs'
import { GrantServer } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
const xen = await SimulatedXen.create()
const server = await GrantServer.open({ device: xen, fillers: { threads: 2 } })
const grant = await server.share({ domid: 7, pages: 4 })
const module = 'data:text/javascript,export default (bytes, { index }) => index'
const held = []
try { for (;;) held.push(openSync('/dev/null')) } catch {}
for (let i = 0; i < Number(process.argv[1]); i++) closeSync(held.pop())
const outcome = await grant.run(module, { sliceBytes: 4096 }).then(String, ({ code }) => code)
for (const fd of held) closeSync(fd)
const again = await grant.run(module, { sliceBytes: 4096 }).then(String, (error) => error.stack)
await server.close()
await xen.close()
console.log(outcome, again)
`

describe('filler threads that could not be started', () => {
  // From none at all to nearly enough: each place where a thread or Node itself opens something.
  it.each([0, 2, 5, 8, 9, 10])('with %d descriptors left: started for the next run', async (left) => {
    const { stdout, stderr, code } = await finished(
      nodeWithFiles(256, '--input-type=module', '--eval', program, String(left)),
    )
    expect({ stdout: stdout.trim(), code }, stderr).toEqual({
      stdout: expect.stringMatching(/^(ERR_GRANTS_WORKER_DIED|EMFILE|0,1,2,3) 0,1,2,3$/),
      code: 0,
    })
  })
})
