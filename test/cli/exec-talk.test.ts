// A command that cannot be started: its connection must not stay open for ever.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { execTalk } from '../../dist/src/cli/exec-talk.js'

it('a command that is too long ends the connection, and is told', async () => {
  const socket = new PassThrough()
  const talking = execTalk('x'.repeat(1 << 20), socket as never)
  await expect(talking).rejects.toMatchObject({ code: 'E2BIG' })
  expect(socket.destroyed).toBe(true)
})

it('without descriptors for a command the connection ends, and the program goes on', async () => {
  const program = `
    import { openSync } from 'node:fs'
    import { PassThrough } from 'node:stream'
    import { execTalk } from './dist/src/cli/exec-talk.js'
    const socket = new PassThrough()
    try {
      for (;;) openSync('/dev/null')
    } catch {}
    await execTalk('true', socket).catch(({ code }) => process.stdout.write(code + ' ' + socket.destroyed))
    setImmediate(() => process.stdout.write(' goes on'))`
  const limited = 'ulimit -n 64; exec "$0" --input-type=module -e "$1"'
  const child = spawn('/bin/sh', ['-c', limited, process.execPath, program])
  let heard = ''
  for (const output of [child.stdout, child.stderr])
    output.on('data', (chunk) => {
      heard += chunk
    })
  await once(child, 'close')
  expect(heard).toBe('EMFILE true goes on')
})
