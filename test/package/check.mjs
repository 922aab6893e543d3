// What would be published: exactly the compiled package with its documents, importable with its types, without install scripts.
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { bundles } from './bundles.mjs'
import { contents, links } from './contents.mjs'
import { pack } from './packed.mjs'
import { runs } from './runs.mjs'
import { types } from './types.mjs'

/** Tools of others, that look at the tarball. */
function tools({ tarball }) {
  const complaints = []
  const run = (what, script, args) => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [resolve('node_modules', script), ...args],
      {
        encoding: 'utf8',
        env: { ...process.env, NO_COLOR: '1' },
      },
    )
    if (status !== 0) complaints.push(`${what}:\n${stdout}${stderr}`)
  }
  run('publint', 'publint/src/cli.js', [tarball, '--strict'])
  // Without node10, which knows no `exports`. Every Node that is supported can require an ES module.
  const attw = [tarball, '--profile', 'node16', '--ignore-rules', 'cjs-resolves-to-esm', '--no-emoji']
  run('attw', '@arethetypeswrong/cli/dist/index.js', attw)
  return complaints
}

const CHECKS = { contents, links, types, tools, runs, bundles }

const chosen = process.argv.slice(2)
const packed = pack()
try {
  let failed = 0
  for (const [name, check] of Object.entries(CHECKS)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue
    const complaints = await check(packed)
    console.log(`${name}: ${complaints.length === 0 ? 'as it should be' : 'not as it should be'}`)
    for (const complaint of complaints) console.error(complaint)
    failed += complaints.length
  }
  process.exitCode = failed === 0 ? 0 : 1
} finally {
  packed.remove()
}
