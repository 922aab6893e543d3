// The compiled modules as few files: a file takes a millisecond to load, whatever is in it.
import { readdirSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { rollup } from 'rollup'
import { chunksOf, DEVICES } from './chunks.mjs'
import { compact } from './compact.mjs'
import { helpersOnce } from './helpers-once.mjs'

/**
 * Modules that are found by their path while the program runs (`src/native/own-file.ts`), beside the entry points: workers, the
 * devices of each kind, and a few more.
 */
const FOUND_BY_PATH = [
  /^workers\/[\w-]+$/,
  DEVICES,
  /^src\/(cli\/main|cli\/demo-peer|fill\/task|grants\/filler-grant)$/,
]

function foundByPath(root) {
  const names = readdirSync(root, { recursive: true }).map((path) => path.replace(/\.js$/, ''))
  return names.filter((name) => FOUND_BY_PATH.some((pattern) => pattern.test(name))).sort()
}

/**
 * @param {string} from the folder that the compiler has written
 * @param {string[]} entryPoints of the package: paths in that folder, without `.js`
 * @returns {Promise<[string, string][]>} paths in that folder, and what belongs there: each module that is found by its path
 *   where it was, what they share in `src/chunks`, each class once
 */
export async function bundle(from, entryPoints) {
  const root = resolve(from)
  const others = foundByPath(root)
  const inputs = [...entryPoints, ...others]
  const bundled = await rollup({
    input: Object.fromEntries(inputs.map((name) => [name, join(root, `${name}.js`)])),
    external: (id) => !/^[./\0]/.test(id),
    plugins: [helpersOnce(), placed(root), compact()],
    // What is outside is imported for what it exports.
    treeshake: { moduleSideEffects: 'no-external' },
    onwarn(warning) {
      throw new Error(warning.message)
    },
  })
  const { output } = await bundled.generate({
    format: 'es',
    entryFileNames: '[name].js',
    chunkFileNames: 'src/chunks/[name].js',
    manualChunks: chunksOf(root, entryPoints),
    // What a chunk imports is loaded with it; naming it in those that import the chunk would repeat it.
    hoistTransitiveImports: false,
  })
  await bundled.close()
  checkNative(output, [
    ...entryPoints,
    ...others.filter((name) => /^(workers|src\/cli|src\/fill)\//.test(name)),
  ])
  return output.map(({ fileName, code }) => [fileName, code])
}

/** What a module takes for its own URL is where it was compiled to; undefined where a bundler makes CommonJS of it. */
function placed(root) {
  return {
    name: 'placed',
    resolveImportMeta(property, { chunkId, moduleId }) {
      const own = relative(root, moduleId)
      if (property !== 'url' || own === chunkId) return null
      // No path with .. in it: below a folder like .pnpm, Node 20 does not resolve those of a base.
      const depth = chunkId.split('/').length - 1
      return `import.meta.url?.replace(/([^/]+\\/){${depth}}[^/]+$/, ${JSON.stringify(own)})`
    },
  }
}

/** Native code is loaded by the workers, when they have passed their gate, and by nothing else. */
function checkNative(output, names) {
  const chunks = new Map(output.map((chunk) => [chunk.fileName, chunk]))
  const importsKoffi = (file, seen = new Set()) => {
    if (seen.has(file)) return false
    seen.add(file)
    return file === 'koffi' || (chunks.get(file)?.imports ?? []).some((other) => importsKoffi(other, seen))
  }
  for (const name of names)
    if (importsKoffi(`${name}.js`)) throw new Error(`${name}.js would load native code`)
}
