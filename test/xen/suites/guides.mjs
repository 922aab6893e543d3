import assert from 'node:assert/strict'
import { LocalProgram } from '../../guides/local-program.mjs'
import { walk, writeFiles } from '../../guides/walk.mjs'
import { guest } from '../guest/domains.mjs'
import { groupOf } from '../guest/guide-files.mjs'
import { GuestProgram, PATIENCE, Terminal } from '../guest/guide-program.mjs'

const DOCUMENT = 'docs/guides/first-exchange.md'
/** As the document has it. */
const NAME = 'trial'
const FOLDER = '/package/trial'

export default {
  name: 'guides',
  tests: [
    {
      name: 'what the first exchange says of dom0 and a guest, word for word: an offer that is mapped and taken back, and a service',
      timeoutMs: 900_000,
      async run(t) {
        const group = groupOf(DOCUMENT, 'real')
        const trial = await guest(NAME, 'node')
        t.defer(() => trial.destroy())
        const terminal = new Terminal(trial)
        await terminal.run(`node /package/test/xen/guest/guide-files.mjs ${DOCUMENT} real ${FOLDER}`)
        writeFiles(group, FOLDER)
        const start = (program) =>
          program.on === 'guest'
            ? new GuestProgram(program, { terminal, folder: FOLDER })
            : new LocalProgram(program, { folder: FOLDER, environment: process.env, patience: PATIENCE })
        assert.deepEqual(await walk(group, { takes: ({ on }) => on !== undefined, start }), [])
      },
    },
  ],
}
