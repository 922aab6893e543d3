// What `npm pack` and `npm publish` do before they collect files: the compiled package without what only its developers need.
// dist/ is changed in place; postpack builds it again for the tests.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { transform } from 'esbuild'
import { rollup } from 'rollup'
import { dts } from 'rollup-plugin-dts'

const manifest = JSON.parse(readFileSync('package.json', 'utf8'))

/** The declarations of the entry points, in which every other one ends that they refer to. */
async function rolledDeclarations() {
  const types = Object.values(manifest.exports)
    .map((target) => target.types)
    .filter((path) => path !== undefined)
  const input = Object.fromEntries(types.map((path) => [path.replace(/^\.\/dist\/|\.d\.ts$/g, ''), path]))
  const bundle = await rollup({
    input,
    external: /^node:/,
    plugins: [dts()],
    // Names that several entry points refer to and none exports: unique symbols, by which devices are known.
    onwarn(warning, warn) {
      if (!/references private shared type exports/.test(warning.message)) warn(warning)
    },
  })
  const { output } = await bundle.generate({
    format: 'es',
    entryFileNames: '[name].d.ts',
    chunkFileNames: ({ name }) => `src/declarations/${name.replace(/\.d$/, '')}.d.ts`,
  })
  return output.map(({ fileName, code }) => [fileName, indentedByTwo(code)])
}

const indentedByTwo = (code) => code.replace(/^(?: {4})+/gm, (spaces) => spaces.slice(spaces.length / 2))

/**
 * The same for compilers before TypeScript 5.7, in which a Uint8Array has no parameter, and without comments: `exports` has
 * them under a condition of their own.
 */
function forOldCompilers([name, code]) {
  const text = code
    .replace(/Uint8Array<(\w+)>/g, '(Uint8Array & { readonly buffer: $1 })')
    .replace(/^ *\/\*\*[\s\S]*?\*\/\n/gm, '')
  return [`types-5.6/${name}`, text]
}

/** Names of functions and classes stay as they are: they are what a stack and `console.log` show. */
async function compacted(path) {
  const { code } = await transform(readFileSync(path, 'utf8'), {
    target: 'node20',
    format: path.endsWith('.cjs') ? 'cjs' : 'esm',
    minify: true,
    keepNames: true,
    lineLimit: 120,
    legalComments: 'none',
  })
  return code
}

rmSync('dist', { recursive: true, force: true })
execFileSync(
  process.execPath,
  // Maps whose sources are not there help nobody, and with them they would be more than the code.
  ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--sourceMap', 'false'],
  { stdio: ['ignore', 'ignore', 'inherit'] },
)
const declarations = await rolledDeclarations()
for (const name of readdirSync('dist', { recursive: true })) {
  const path = join('dist', name)
  if (/\.d\.c?ts$/.test(name)) rmSync(path)
  else if (/\.c?js$/.test(name)) writeFileSync(path, await compacted(path))
}
for (const [name, text] of [...declarations, ...declarations.map(forOldCompilers)]) {
  mkdirSync(dirname(join('dist', name)), { recursive: true })
  writeFileSync(join('dist', name), text)
}
