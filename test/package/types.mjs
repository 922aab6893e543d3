// Whatever compiler and settings a user has: the declarations hold by themselves.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** The oldest, those between which declarations have come to be read differently, and this folder's own. */
const FETCHED = ['5.4.5', '5.7.3', '5.9.3', '6.0.3']

function compilers() {
  const own = resolve('node_modules/typescript')
  return [
    ...FETCHED.map(fetched),
    {
      version: JSON.parse(readFileSync(join(own, 'package.json'), 'utf8')).version,
      tsc: join(own, 'bin/tsc'),
    },
  ]
}

/** From the npm registry, into .cache. */
function fetched(version) {
  const folder = resolve('.cache/typescript', version)
  const tsc = join(folder, 'node_modules/typescript/bin/tsc')
  if (!existsSync(tsc)) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    const { status } = spawnSync(
      'npm',
      ['install', '--no-save', '--no-audit', '--no-fund', `typescript@${version}`],
      {
        cwd: folder,
        stdio: ['ignore', 'ignore', 'inherit'],
      },
    )
    if (status !== 0) throw new Error(`typescript@${version} could not be installed`)
  }
  return { version, tsc }
}

const RESOLUTIONS = {
  node16: ['--module', 'node16'],
  nodenext: ['--module', 'nodenext'],
  bundler: ['--module', 'esnext', '--moduleResolution', 'bundler'],
}

const STRICT = [
  '--strict',
  '--exactOptionalPropertyTypes',
  '--noUncheckedIndexedAccess',
  '--skipLibCheck',
  'false',
  '--noEmit',
  '--target',
  'es2022',
  '--lib',
  'es2023,esnext.disposable',
  '--types',
  'node',
]

export function types({ consumer, paths, installed }) {
  const complaints = []
  for (const name of readdirSync('test/package/consumer'))
    copyFileSync(join('test/package/consumer', name), join(consumer, name))
  const compile = (what, tsc, args) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, ...STRICT, ...args], {
      cwd: consumer,
      encoding: 'utf8',
    })
    if (status !== 0) complaints.push(`${what}:\n${stdout}${stderr}`)
  }
  for (const { version, tsc } of compilers()) {
    for (const [name, args] of Object.entries(RESOLUTIONS)) {
      compile(`TypeScript ${version}, ${name}`, tsc, [...args, 'use.mts'])
    }
    compile(`TypeScript ${version}, declarations of what is inferred`, tsc, [
      ...RESOLUTIONS.nodenext,
      '--declaration',
      'use.mts',
    ])
    if (!/^5\.[0-6]\./.test(version))
      compile(`TypeScript ${version}, shared memory`, tsc, [...RESOLUTIONS.nodenext, 'shared.mts'])
    if (!/^5\.[0-7]\./.test(version))
      compile(`TypeScript ${version}, CommonJS`, tsc, [...RESOLUTIONS.nodenext, 'use.cts'])
  }
  const declarations = paths.filter((path) => /\.d\.c?ts$/.test(path))
  if (declarations.length === 0) complaints.push('there are no declarations')
  for (const path of declarations) {
    if (/['"](comlink|koffi|piscina)/.test(readFileSync(join(installed, path), 'utf8')))
      complaints.push(`${path} refers to a dependency that users do not see`)
  }
  return complaints
}
