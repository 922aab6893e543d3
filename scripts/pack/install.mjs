import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { programFiles, write } from './files.mjs'

/**
 * Lays out a folder of this one as a user's, in which the packed package has been installed without its declarations. What it
 * depends on is found above. Does nothing when nothing has changed since.
 *
 * @returns {Promise<string>} the absolute path of the package in it
 */
export async function installPackage(folder) {
  const installed = resolve(folder, 'node_modules/xen-grants')
  const mark = join(folder, 'made-of')
  const made = fingerprint(['dist', 'scripts/pack', 'examples', 'package.json', 'package-lock.json'])
  if (existsSync(mark) && readFileSync(mark, 'utf8') === made) return installed
  const files = await programFiles('dist')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(installed, { recursive: true })
  // Whose programs are not this package's, and so import the installed one.
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  write(files, join(installed, 'dist'))
  for (const part of ['package.json', 'examples']) cpSync(part, join(installed, part), { recursive: true })
  writeFileSync(mark, made)
  return installed
}

/** Of what the files are made of: their names and texts. */
function fingerprint(paths) {
  const hash = createHash('sha256')
  const files = paths.flatMap((path) =>
    /\.\w+$/.test(path)
      ? [path]
      : readdirSync(path, { recursive: true })
          .sort()
          .map((name) => join(path, name)),
  )
  for (const file of files) if (/\.(c?js|mjs|json)$/.test(file)) hash.update(file).update(readFileSync(file))
  return hash.digest('hex')
}
