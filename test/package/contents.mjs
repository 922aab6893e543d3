// Which files are in the package, and how large they are.
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

const CODE = /^(dist\/(src|workers)\/.*\.(c?js|d\.c?ts)|package\.json|LICENSE)$/
const DOCUMENTS =
  /^([A-Z]+\.md|docs\/.*\.(md|svg|png)|examples\/.*\.mjs|bench\/README\.md|bench\/results\/.*\.svg)$/

const NEEDED = [
  'LICENSE',
  'SECURITY.md',
  'CHANGELOG.md',
  'docs/memory.md',
  'examples/quick-start.mjs',
  'dist/src/index.js',
  'dist/src/index.d.ts',
  'dist/workers/device.js',
  'dist/workers/filler.cjs',
  'dist/workers/store.js',
]

/**
 * KiB that the code and its declarations may take: little more than they do, so that what makes them grow is noticed. Names of
 * functions and doc comments, of which both could be less, are there for those who read a stack or a declaration.
 */
const LIMITS = { code: 400, declarations: 100 }

/** Files of the package that are loaded with an entry point: each takes a millisecond. */
const LOADED = { '.': 5, './xenstore': 2, './vchan': 4, './monitor': 5, './simulated': 5 }

export function contents({ paths, sizes, manifest, installed }) {
  const complaints = []
  for (const path of paths) {
    if (!CODE.test(path) && !DOCUMENTS.test(path)) complaints.push(`${path} does not belong in the package`)
    if (/\.c?js$/.test(path) && readFileSync(join(installed, path), 'utf8').includes('sourceMappingURL'))
      complaints.push(`${path} names a source map, and the package has none`)
  }
  for (const path of NEEDED) if (!paths.includes(path)) complaints.push(`${path} is missing from the package`)
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) {
    if (script in manifest.scripts) complaints.push(`package.json has the install script ${script}`)
  }
  const kibibytes = (chosen) =>
    Math.ceil([...sizes].reduce((sum, [path, size]) => (chosen(path) ? sum + size : sum), 0) / 1024)
  const measured = {
    code: kibibytes((path) => CODE.test(path) && !/\.d\.c?ts$/.test(path)),
    declarations: kibibytes((path) => /\.d\.c?ts$/.test(path)),
  }
  const documents = kibibytes((path) => DOCUMENTS.test(path))
  console.log(
    `unpacked: ${measured.code} KiB of code, ${measured.declarations} KiB of declarations, ${documents} KiB of documents`,
  )
  for (const [what, limit] of Object.entries(LIMITS)) {
    if (measured[what] > limit)
      complaints.push(`${what}: ${measured[what]} KiB, of which ${limit} are allowed`)
  }
  for (const [entry, limit] of Object.entries(LOADED)) {
    const { files, packages } = loaded(join(installed, manifest.exports[entry].default))
    if (files.size > limit)
      complaints.push(`${entry} loads ${[...files].join(', ')}: more than ${limit} files`)
    if (packages.has('koffi')) complaints.push(`${entry} loads native code`)
  }
  return complaints
}

/** What is loaded with a file: what it imports, but not what it imports later. */
function loaded(file, found = { files: new Set(), packages: new Set() }) {
  if (found.files.has(file)) return found
  found.files.add(file)
  for (const [, name] of readFileSync(file, 'utf8').matchAll(/(?:\bfrom|\bimport)\s*"([^"]+)"/g)) {
    if (name.startsWith('.')) loaded(join(dirname(file), name), found)
    else if (!name.startsWith('node:')) found.packages.add(name)
  }
  return found
}

/** Links and pictures of every document lead to something in the package: whoever has installed it has nothing else. */
export function links({ paths, installed }) {
  const known = new Set(paths.flatMap((path) => [path, ...parents(path)]))
  const complaints = []
  for (const path of paths.filter((name) => name.endsWith('.md'))) {
    const text = readFileSync(join(installed, path), 'utf8').replace(/```[\s\S]*?```|`[^`\n]*`/g, '')
    for (const [, inMarkdown, inHtml] of text.matchAll(
      /\]\(<?([^)>\s]+)>?(?:\s+"[^"]*")?\)|(?:src|href)="([^"]+)"/g,
    )) {
      const link = inMarkdown ?? inHtml
      const [file] = link.split('#')
      if (!file || /^[a-z]+:/.test(file)) continue
      const target = normalize(join(dirname(path), file)).replace(/\/$/, '')
      if (!known.has(target)) complaints.push(`${path} links to ${link}, which is not in the package`)
    }
  }
  return complaints
}

function parents(path) {
  const found = []
  for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) found.push(folder)
  return found
}
