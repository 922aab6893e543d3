// The suite on other versions of Node, without what no version can change. Their binaries come from the npm registry, into .cache.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'

const versions = process.argv.slice(2)
if (versions.length === 0) versions.push('22', '24', '26')
const platform = `${process.platform}-${process.arch}`

function install(version) {
  const folder = resolve('.cache/nodes', version)
  const binary = resolve(folder, `node_modules/node-${platform}/bin/node`)
  if (existsSync(binary)) return binary
  mkdirSync(folder, { recursive: true })
  writeFileSync(resolve(folder, 'package.json'), '{ "private": true }\n')
  const { status } = spawnSync('npm', ['install', '--no-save', `node-${platform}@${version}`], {
    cwd: folder,
    stdio: 'inherit',
  })
  if (status !== 0) throw new Error(`node-${platform}@${version} could not be installed`)
  return binary
}

/** What says how the simulated Xen compares with real ones: that is the same on every Node. */
const same = ['test/agreement/**', 'test/model/**', 'test/simulated/**', 'test/xenstore/contract.test.ts']

let failed = 0
for (const version of versions) {
  const binary = install(version)
  console.log(`\n== ${spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout.trim()} ==`)
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--reporter=dot']
  const { status } = spawnSync(binary, [...vitest, ...same.flatMap((files) => ['--exclude', files])], {
    stdio: 'inherit',
    env: { NO_COLOR: '1', ...process.env },
  })
  if (status !== 0) failed++
}
console.log(`${versions.length - failed} of ${versions.length} versions of Node pass`)
process.exitCode = failed === 0 ? 0 : 1
