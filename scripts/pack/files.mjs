import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { bundle } from './bundle.mjs'
import { compacted } from './compact.mjs'
import { declarations } from './declarations.mjs'

const manifest = JSON.parse(readFileSync('package.json', 'utf8'))

/** Paths below dist/ of what the entry points have under that condition. */
function entryPoints(condition) {
  const paths = Object.values(manifest.exports).map((target) => target[condition])
  return paths.filter((path) => path !== undefined).map((path) => path.replace(/^\.\/dist\//, ''))
}

/**
 * @param {string} compiled the folder that the compiler has written
 * @returns {Promise<[string, string][]>} what runs: paths in that folder, and texts
 */
export async function programFiles(compiled) {
  const filler = readFileSync(join(compiled, 'workers/filler.cjs'), 'utf8')
  return [
    ...(await bundle(
      compiled,
      entryPoints('default').map((path) => path.replace(/\.js$/, '')),
    )),
    ['workers/filler.cjs', await compacted(filler, 'cjs')],
  ]
}

/** The same for what compilers read. */
export function declarationFiles(compiled) {
  const input = entryPoints('types').map((path) => [path.replace(/\.d\.ts$/, ''), join(compiled, path)])
  return declarations(Object.fromEntries(input))
}

export function write(files, folder) {
  for (const [path, text] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
}
