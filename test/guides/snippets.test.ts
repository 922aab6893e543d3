import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { SimulatedXen } from 'xen-grants/simulated'
import { main, users } from '../setup/installed.js'
import { documentsOf, isGuide, type Program, readDocument } from './documents.mjs'
import { LocalProgram } from './local-program.mjs'
import { walk, writeFiles } from './walk.mjs'

const root = new URL('../..', import.meta.url).pathname
const documents = documentsOf(root).map((path) => readDocument(root, path))

/** Where programs can import the package by name, as where it has been installed. */
mkdirSync(users, { recursive: true })
const folder = mkdtempSync(join(users, 'guides-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The npx here finds what it would find where the package is installed, and asks no registry; and this is the Node that is tested. */
const commands = join(folder, 'bin')
mkdirSync(commands)
symlinkSync(process.execPath, join(commands, 'node'))
writeFileSync(
  join(commands, 'npx'),
  `#!/bin/sh
command=$1
shift
[ "$command" = xen-grants ] && exec "${process.execPath}" "${main}" "$@"
exec "${join(root, 'node_modules/.bin')}/$command" "$@"
`,
  { mode: 0o755 },
)

/** It imports the package too. */
const given = join(folder, 'given.mjs')
copyFileSync(join(root, 'test/guides/given.mjs'), given)

describe('the documents', () => {
  it('have no snippet that nothing runs', () => {
    expect(documents.flatMap(({ problems }) => problems)).toEqual([])
  })

  // Guides are followed by `npm run check:guides`, from where they begin: with a package to install.
  for (const { path, groups } of documents.filter(({ path }) => !isGuide(path))) {
    for (const group of groups) {
      const takes = ({ on }: { on?: string }) => !on
      if (!group.programs.some(takes)) continue
      it(`${path}: ${group.name} does what it says`, { timeout: 400_000 }, async () => {
        const simulated = group.programs.some((program) => program.in)
          ? await SimulatedXen.create()
          : undefined
        try {
          const own = join(folder, `${path.replaceAll(/\W/g, '-')}-${group.name}`)
          mkdirSync(own)
          writeFiles(group, own)
          const start = (program: Program) =>
            new LocalProgram(program, {
              folder: own,
              nodeOptions: program.in === undefined ? [] : ['--import', given],
              environment: {
                ...process.env,
                PATH: `${commands}:${process.env.PATH}`,
                ...(simulated && { XEN_GRANTS_GUIDE: [simulated.path, program.in, program.given].join('#') }),
              },
            })
          expect(await walk(group, { takes, start })).toEqual([])
        } finally {
          await simulated?.close()
        }
      })
    }
  }
})
