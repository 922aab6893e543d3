// What a reader does who has nothing but the packed package, which has the guides in it: in an empty folder what they say, from
// `npm install` to two programs that share memory, with the very commands and programs that are in their text.
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { SimulatedXen } from 'xen-grants/simulated'
import { documentsOf, isGuide, readDocument } from '../guides/documents.mjs'
import { LocalProgram } from '../guides/local-program.mjs'
import { walk, writeFiles } from '../guides/walk.mjs'

/** The one that begins with an empty folder. Everything after it needs what it has installed. */
const FIRST = 'docs/guides/first-exchange.md'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'xen-grants-reader-'))
/** Where the tarball has been unpacked, for its guides. */
const unpacked = mkdtempSync(join(tmpdir(), 'xen-grants-guides-'))
// As a user's, who is in no package of ours. What has been downloaded before is not downloaded again.
const environment = {
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  npm_config_cache: process.env.npm_config_cache,
  npm_config_prefer_offline: 'true',
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_update_notifier: 'false',
}
const takes = ({ on }) => !on

/** Each in a folder of its own below the one in which the package is installed. @returns problems */
async function follow(group, own) {
  mkdirSync(own, { recursive: true })
  const simulated = group.programs.some((program) => program.in) ? await SimulatedXen.create() : undefined
  try {
    writeFiles(group, own)
    const start = (program) =>
      new LocalProgram(program, {
        folder: own,
        nodeOptions: program.in === undefined ? [] : ['--import', join(folder, 'given.mjs')],
        environment: {
          ...environment,
          ...(simulated && { XEN_GRANTS_GUIDE: [simulated.path, program.in, program.given].join('#') }),
        },
      })
    return await walk(group, { takes, start })
  } catch (error) {
    return [error.message]
  } finally {
    await simulated?.close()
  }
}

let failed = 0
try {
  execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: root, stdio: 'inherit' })
  const [tarball] = readdirSync(folder)
  execFileSync('tar', ['-xzf', join(folder, tarball), '-C', unpacked, '--strip-components', '1'])
  copyFileSync(join(root, 'test/guides/given.mjs'), join(folder, 'given.mjs'))
  const others = documentsOf(unpacked).filter((path) => isGuide(path) && path !== FIRST)
  for (const path of [FIRST, ...others]) {
    for (const group of readDocument(unpacked, path).groups.filter(({ programs }) => programs.some(takes))) {
      const problems = await follow(group, path === FIRST ? folder : join(folder, path, group.name))
      console.log(`${problems.length === 0 ? 'ok  ' : 'FAIL'} ${path}: ${group.name}`)
      for (const problem of problems) console.log(problem)
      if (problems.length > 0) failed++
    }
    // Nothing can be followed after that.
    if (path === FIRST && failed > 0) break
  }
} finally {
  for (const path of [folder, unpacked]) rmSync(path, { recursive: true, force: true })
}
if (failed > 0) {
  console.error(`${failed} parts of the guides do not work from the package`)
  process.exitCode = 1
}
