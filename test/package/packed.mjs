// The package as a user gets it, beside what it depends on.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export function run(command, args, options = {}) {
  return execFileSync(command, args, { encoding: 'utf8', ...options })
}

/**
 * Packs the package and lays it out as npm would, without asking a registry: what it depends on is this folder's.
 * `paths` are its files, `sizes` their bytes, `consumer` a folder from which it can be imported.
 */
export function pack() {
  const folder = mkdtempSync(join(tmpdir(), 'xen-grants-pack-'))
  const [{ filename, files }] = JSON.parse(
    run('npm', ['pack', '--json', '--pack-destination', folder], { stdio: ['ignore', 'pipe', 'ignore'] }),
  )
  const tarball = join(folder, filename)
  // As pnpm has it: Node 20 resolves some paths below such a folder otherwise.
  const consumer = join(folder, '.consumer')
  const modules = join(consumer, 'node_modules')
  mkdirSync(join(modules, '@types'), { recursive: true })
  run('tar', ['-xzf', tarball, '-C', folder])
  const installed = join(modules, 'xen-grants')
  renameSync(join(folder, 'package'), installed)
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  for (const name of [...Object.keys(manifest.dependencies), '@types/node', 'undici-types']) {
    symlinkSync(resolve('node_modules', name), join(modules, name))
  }
  return {
    tarball,
    consumer,
    installed,
    manifest,
    paths: files.map(({ path }) => path),
    sizes: new Map(files.map(({ path, size }) => [path, size])),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
