// Part of `npm run lint`: each row of src imports only rows below it, types included, and nothing imports in a circle.
// docs/architecture.md says what lives in each row.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** From the top down. A folder stands for everything in it that has no row of its own. */
export const ROWS = [
  ['workers'],
  ['cli'],
  ['index.ts', 'monitor.ts', 'vchan.ts', 'xenstore.ts'],
  ['monitor'],
  ['diagnosis'],
  ['xen.ts'],
  ['net'],
  ['vchan'],
  // What runs in workers: imported by the entries in workers/ only.
  ['grants/worker', 'mapping/worker', 'events/worker', 'xenstore/worker'],
  ['grants'],
  ['mapping'],
  ['events'],
  ['xenstore'],
  ['pages'],
  ['fill'],
  ['threads'],
  ['memory'],
  // The public entry point first, then what it is made of.
  ['simulated/index.ts', 'simulated/domain.ts', 'simulated/options.ts'],
  ['simulated/host'],
  ['simulated/devices'],
  ['simulated/kernel'],
  ['simulated/wire', 'simulated/spawn.ts'],
  ['drivers'],
  ['native'],
  [
    'abi.ts',
    'abort.ts',
    'arguments.ts',
    'diagnostics.ts',
    'errors.ts',
    'inspect.ts',
    'private-folder.ts',
    'runs.ts',
    'semaphore.ts',
    'unmap-notify.ts',
  ],
]

/** Nothing that serves a real Xen may come to depend on the simulated one. Its users are programs, as any other's. */
const SIMULATED = (file) => file.startsWith('simulated/')
const MAY_USE_SIMULATED = (file) => SIMULATED(file) || file.startsWith('cli/') || file.startsWith('workers/')

/** @param files path → the paths it imports; src/ is left out, workers/ is not */
export function findings(files) {
  const found = []
  for (const [file, imports] of files) {
    if (rowOf(file) < 0) found.push(`${file} is in no row of test/house/directions.mjs`)
    for (const imported of imports) {
      if (rowOf(imported) < rowOf(file)) found.push(`${file} imports ${imported}, which is above it`)
      if (SIMULATED(imported) && !MAY_USE_SIMULATED(file))
        found.push(`${file} imports ${imported}: only programs use the simulated Xen`)
    }
  }
  for (const circle of circles(files)) found.push(`a circle: ${circle.join(' → ')}`)
  return found
}

function rowOf(file) {
  let best = -1
  let length = 0
  for (const [row, names] of ROWS.entries()) {
    for (const name of names) {
      const within = file === name || file.startsWith(`${name}/`)
      if (within && name.length > length) [best, length] = [row, name.length]
    }
  }
  return best
}

/** One circle for each import that closes one, in a walk from every file. */
function* circles(files) {
  const done = new Set()
  const path = []
  function* visit(file) {
    const at = path.indexOf(file)
    if (at >= 0) yield [...path.slice(at), file]
    if (at >= 0 || done.has(file)) return
    path.push(file)
    for (const imported of files.get(file) ?? []) yield* visit(imported)
    path.pop()
    done.add(file)
  }
  for (const file of files.keys()) yield* visit(file)
}

/** Static imports, dynamic ones, and types in passing. Comments with code in them would count: there are none. */
const SPECIFIER = /(?:\bfrom|\bimport)\s*\(?\s*'(\.[^']+)\.js'/g

export function readImports(root) {
  const files = new Map()
  for (const folder of ['src', 'workers']) {
    for (const entry of readdirSync(join(root, folder), { recursive: true })) {
      if (!/\.c?ts$/.test(entry)) continue
      const path = join(folder, entry)
      const text = readFileSync(join(root, path), 'utf8')
      const imports = [...text.matchAll(SPECIFIER)].map(([, specifier]) =>
        nameOf(normalize(join(dirname(path), `${specifier}.ts`))),
      )
      files.set(nameOf(path), imports)
    }
  }
  return files
}

const nameOf = (path) => (path.startsWith('src/') ? relative('src', path) : path)

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const found = findings(readImports(root))
  for (const line of found) console.error(line)
  if (found.length > 0) process.exit(1)
}
