// Downloads the hypervisor, the kernel and Xen's tools as Debian packages and unpacks them below .cache/xen, without
// installing anything. The only part of the harness that touches the network; run.mjs says when it is needed.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FETCHED } from './lib/packages.mjs'
import { cache, unpacked } from './lib/paths.mjs'

const archives = join(cache, 'archives')
const FIVE_MINUTES = 300_000

function capture(command, args) {
  return execFileSync(command, args, { encoding: 'utf8', timeout: FIVE_MINUTES, maxBuffer: 1 << 24 })
}

function resolve({ name, followDependency }) {
  if (!followDependency) return name
  const dependencies = capture('apt-cache', ['depends', '--important', name])
  const found = [...dependencies.matchAll(/Depends: (\S+)/g)].find(([, target]) =>
    followDependency.test(target),
  )
  if (!found) throw new Error(`apt knows no kernel behind ${name}. Type: apt-get update`)
  return found[1]
}

function unpack(archive, members) {
  const contents = join(archives, 'contents.tar')
  execFileSync('sh', ['-c', 'exec dpkg-deb --fsys-tarfile "$0" >"$1"', archive, contents], {
    stdio: 'inherit',
  })
  execFileSync('tar', ['-xf', contents, '-C', unpacked, '--wildcards', '--no-same-owner', ...members], {
    stdio: 'inherit',
    timeout: FIVE_MINUTES,
  })
  rmSync(contents)
}

rmSync(archives, { recursive: true, force: true })
rmSync(unpacked, { recursive: true, force: true })
mkdirSync(archives, { recursive: true })
mkdirSync(unpacked, { recursive: true })

const fetched = []
for (const wanted of FETCHED) {
  const name = resolve(wanted)
  console.log(`fetching ${name}`)
  // apt drops its rights to a user who may not write here; unsandboxed it warns about nothing.
  execFileSync('apt-get', ['-qq', '-o', 'APT::Sandbox::User=root', 'download', name], {
    cwd: archives,
    stdio: 'inherit',
    timeout: FIVE_MINUTES,
  })
  const file = readdirSync(archives).find((entry) => entry.startsWith(`${name}_`))
  if (!file) throw new Error(`apt-get download ${name} succeeded but left no ${name}_*.deb in ${archives}`)
  unpack(join(archives, file), wanted.members)
  fetched.push({ name, archive: file })
}
rmSync(archives, { recursive: true })
// Written last: its presence says that everything before it is complete.
writeFileSync(join(cache, 'fetched.json'), `${JSON.stringify(fetched, null, 2)}\n`)
console.log(`unpacked into ${unpacked}`)
