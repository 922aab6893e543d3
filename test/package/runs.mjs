// The installed copy does what the compiled tree does: it is imported, required, and its examples run.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/** What works from an installed copy as it stands: one needs nothing else, one a module of its own, one HTTP over streams. */
const EXAMPLES = ['quick-start.mjs', 'parallel-filler.mjs', 'http-service.mjs']

export function runs({ consumer, installed, manifest }) {
  const complaints = []
  const node = (...args) =>
    spawnSync(process.execPath, args, { cwd: consumer, encoding: 'utf8', timeout: 60_000 })
  const expect = (what, args, wanted) => {
    const { status, signal, stdout, stderr } = node(...args)
    const said = `${stdout}${stderr}`
    const good = typeof wanted === 'number' ? status === wanted : wanted.test(said)
    if (!good) complaints.push(`${what}: ended with ${status ?? signal}\n${said}`)
  }
  const entries = Object.keys(manifest.exports).filter((path) => path !== './package.json')
  for (const entry of entries) {
    const name = entry.replace('.', manifest.name)
    expect(`import('${name}')`, ['--input-type=module', '--eval', `await import('${name}')`], 0)
    // The same module either way: a class that exists twice would not know its own instances.
    const same = `const required = require('${name}')
      import('${name}').then((imported) => { if (imported !== required && Object.keys(required).some((k) => imported[k] !== required[k])) process.exitCode = 1 })`
    expect(`require('${name}')`, ['--input-type=commonjs', '--eval', same], 0)
    // What Node itself says where it cannot require an ES module: as old versions, and this one when told not to.
    expect(
      `require('${name}') without require(esm)`,
      ['--no-experimental-require-module', '--input-type=commonjs', '--eval', `require('${name}')`],
      /ERR_REQUIRE_ESM[\s\S]*import\(\)|import\(\)[\s\S]*ERR_REQUIRE_ESM/,
    )
  }
  const names = `const { GrantServer, GrantError, Xen } = require('${manifest.name}')
    console.log(GrantServer.name, GrantError.name, Xen.name, new GrantError('EIO', 'x').name)
    GrantServer.open({ device: 1 }).catch((error) => console.log(error.stack))`
  expect(
    'the names of classes and functions',
    ['--eval', names],
    /^GrantServer GrantError Xen GrantError$[\s\S]*^ +at invalidArgType [\s\S]*^ +at (async )?GrantServer\.open /m,
  )
  const once = `const grants = require('${manifest.name}'), { XenStore } = require('${manifest.name}/xenstore')
    process.exitCode = grants.XenStore === XenStore ? 0 : 1`
  expect('a class that two entry points export', ['--eval', once], 0)
  expect(
    'xen-grants --version',
    [join(installed, manifest.bin[manifest.name]), '--version'],
    /^\d+\.\d+\.\d+/,
  )
  for (const example of EXAMPLES) expect(example, [join(installed, 'examples', example)], 0)
  return complaints
}
