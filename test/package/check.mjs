// What would be published: exactly the compiled package, importable with its types, without install scripts.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const run = (command, args, options = {}) => execFileSync(command, args, { encoding: 'utf8', ...options })
const failures = []
const check = (condition, complaint) => {
  if (!condition) failures.push(complaint)
}

const folder = mkdtempSync(join(tmpdir(), 'xen-grants-pack-'))
try {
  const [{ filename, files }] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', folder]))
  const paths = files.map(({ path }) => path)
  const allowed =
    /^(dist\/(src|workers)\/.*\.(c?js|d\.c?ts|c?js\.map)|package\.json|README\.md|CHANGELOG\.md|LICENSE)$/
  for (const path of paths) check(allowed.test(path), `${path} does not belong in the package`)
  for (const path of [
    'LICENSE',
    'dist/src/index.js',
    'dist/src/index.d.ts',
    'dist/workers/device.js',
    'dist/workers/filler.cjs',
    'dist/workers/store.js',
  ]) {
    check(paths.includes(path), `${path} is missing from the package`)
  }
  const manifest = JSON.parse(readFileSync('package.json', 'utf8'))
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) {
    check(!(script in manifest.scripts), `package.json has the install script ${script}`)
  }

  const modules = join(folder, 'consumer', 'node_modules')
  mkdirSync(modules, { recursive: true })
  run('tar', ['-xzf', join(folder, filename), '-C', folder])
  for (const name of Object.keys(manifest.dependencies)) {
    symlinkSync(resolve('node_modules', name), join(modules, name))
  }
  symlinkSync(join(folder, 'package'), join(modules, 'xen-grants'))
  mkdirSync(join(modules, '@types'))
  symlinkSync(resolve('node_modules/@types/node'), join(modules, '@types/node'))
  writeFileSync(
    join(folder, 'consumer', 'use.mts'),
    `import { type Grant, GrantClient, GrantError, GrantServer, type SliceFunction } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { type StoreChange, type StoreView, XenStore, XenStoreError } from 'xen-grants/xenstore'
export async function use(): Promise<number> {
  const xen = await SimulatedXen.create({ limit: 5 })
  const server: GrantServer = await GrantServer.open({ device: xen })
  const grant: Grant = await server.share({ domid: 7, pages: 1 })
  const bytes: Uint8Array = grant.bytes
  await GrantClient.connect(server.connect())
  return bytes.length
}
declare const signal: AbortSignal | undefined
export async function more(server: GrantServer, chunks: import('node:stream/web').ReadableStream<Uint8Array>) {
  // What may be left out may be undefined.
  await using grant = await server.share({ domid: 7, pages: 1, writable: undefined, signal })
  await grant.fill(chunks, { signal, onProgress: undefined })
  const lengths: number[] = await grant.run<number, { seed: number }>('x.mjs', { args: { seed: 1 }, signal })
  await using pool = await server.pool({ domid: 7, pages: 1, grants: 1, signal })
  await using acquired: Grant = await pool.acquire({ signal })
  return [lengths, acquired.refs]
}
export async function store(): Promise<StoreChange | undefined> {
  const opened: XenStore = await XenStore.open({ path: '/run/xenstored/socket' })
  const length: number = await opened.transaction(async (t: StoreView) => (await t.read('data')).length)
  for await (const change of opened.watch('data')) if (length > 0) return change
  const error: unknown = await opened.closed
  return error instanceof XenStoreError && error.code === 'ENOENT' ? undefined : { path: '/', initial: true }
}
export const fill: SliceFunction<{ seed: number }, string> = (bytes, { args }) => String(bytes.length + args.seed)
export const code = (error: unknown): string | undefined => (error instanceof GrantError ? error.code : undefined)
`,
  )
  const declarations = paths.filter((path) => path.endsWith('.d.ts'))
  const publicText = ['dist/src/index.d.ts', 'dist/src/simulated/index.d.ts', 'dist/src/xenstore.d.ts']
    .map((path) => readFileSync(path, 'utf8'))
    .join()
  check(!/comlink|koffi/.test(publicText), 'comlink or koffi shows in the public declarations')
  check(declarations.length > 0, 'there are no declarations')
  // Every declaration a user's compiler follows must hold by itself, without skipLibCheck.
  const compiler = [
    '--strict',
    '--exactOptionalPropertyTypes',
    '--noEmit',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--lib',
    'es2023,esnext.disposable',
  ]
  run(
    process.execPath,
    [resolve('node_modules/typescript/bin/tsc'), ...compiler, '--types', 'node', 'use.mts'],
    {
      cwd: join(folder, 'consumer'),
      stdio: 'inherit',
    },
  )
  run(process.execPath, [resolve('node_modules/publint/src/cli.js'), '--strict'], { stdio: 'inherit' })
} finally {
  rmSync(folder, { recursive: true, force: true })
}

for (const failure of failures) console.error(failure)
process.exitCode = failures.length === 0 ? 0 : 1
console.log(failures.length === 0 ? 'the package is as it should be' : 'the package is not as it should be')
