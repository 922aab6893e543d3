import { createHash } from 'node:crypto'
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, join, sep } from 'node:path'
import { Archive } from './archive.mjs'
import { librariesOf } from './libraries.mjs'
import { cache, harness, repository } from './paths.mjs'

const GUEST_TEST_PACKAGES = ['fast-check']

/**
 * Builds the guest's root file system: a large archive that rarely changes, kept under the hash of what is in it, then
 * a small one with the package and its tests. The kernel unpacks both, one over the other.
 * @param {{ kernel: string, modules: string[], tools: string[] }} parts
 * @param {{ work: string, peers: string[], config: object }} run
 */
export function buildImage(parts, { work, peers, config }) {
  const image = join(work, 'initramfs.gz')
  copyFileSync(baseArchive(parts, work), image)
  const small = join(work, 'package.gz')
  packageArchive(work, peers, config).write(small)
  appendFileSync(image, readFileSync(small))
  rmSync(small)
  return image
}

function baseArchive({ kernel, modules, tools }, work) {
  const files = new Map([
    ['/bin/busybox', '/bin/busybox'],
    ['/usr/bin/node', process.execPath],
    // What a guest domain boots.
    ['/boot/vmlinuz', kernel],
  ])
  for (const path of librariesOf([process.execPath, ...tools])) files.set(path, path)
  // The number keeps the order in which they have to be loaded.
  for (const [order, path] of modules.entries()) files.set(`/modules/${order}-${basename(path)}`, path)
  for (const path of tools) files.set(`/usr/lib/xen/bin/${basename(path)}`, path)

  const hash = createHash('sha256')
  for (const [inside, source] of files) hash.update(`${inside}\0`).update(readFileSync(source)).update('\0')
  const name = `base-${hash.digest('hex').slice(0, 20)}.gz`
  const target = join(cache, name)
  if (existsSync(target)) return target

  for (const old of readdirSync(cache)) if (/^base-.*\.gz$/.test(old)) rmSync(join(cache, old))
  const archive = new Archive(join(work, 'base'))
  for (const [inside, source] of files) archive.add(source, inside)
  archive.write(`${target}.part`)
  // Renamed when complete: an interrupted run leaves no half archive under a valid name.
  renameSync(`${target}.part`, target)
  rmSync(join(work, 'base'), { recursive: true })
  return target
}

function packageArchive(work, peers, config) {
  const archive = new Archive(join(work, 'package'))
  archive.add(join(harness, 'guest/init.sh'), '/init')
  archive.add(join(harness, 'guest/agent.sh'), '/agent.sh')
  archive.add(join(repository, 'package.json'), '/package/package.json')
  archive.add(join(repository, 'dist'), '/package/dist', { filter: (path) => !/\.(map|d\.ts)$/.test(path) })
  for (const part of ['guest', 'suites', 'slow'])
    archive.add(join(harness, part), `/package/test/xen/${part}`)
  const parts = [
    'test/contract',
    'test/agreement',
    'test/xenstore/contract',
    'test/fixtures',
    'test/guides',
    'docs/guides',
    'test/memory/fixtures',
    'examples',
    'bench/lib',
    'bench/xen',
  ]
  for (const part of parts) archive.add(join(repository, part), `/package/${part}`)

  const binaries = [...peers]
  for (const path of [...productionPackages(), ...testPackages()]) {
    const source = join(repository, path)
    // A package's own node_modules are entries of the lock file themselves.
    const filter = (file) =>
      !file.slice(source.length).includes(`${sep}node_modules`) && !/\.d\.[cm]?ts$/.test(file)
    archive.add(source, `/package/${path}`, { filter })
    binaries.push(...nativeAddons(source))
  }
  for (const path of peers) archive.add(path, `/peers/${basename(path)}`)
  for (const path of librariesOf(binaries)) archive.add(path, path)

  const configFile = join(work, 'config.json')
  writeFileSync(configFile, JSON.stringify(config))
  archive.add(configFile, '/package/test/xen/config.json')
  return archive
}

/** Of the development dependencies, those that tests in the guest import, with what they need themselves. */
function testPackages() {
  const { packages } = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8'))
  const needed = new Set(GUEST_TEST_PACKAGES.map((name) => `node_modules/${name}`))
  for (const path of needed)
    for (const name of Object.keys(packages[path].dependencies ?? {})) needed.add(`node_modules/${name}`)
  return needed
}

/** Production dependencies that are installed here: npm leaves out those of other platforms. */
function productionPackages() {
  const { packages } = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8'))
  return Object.entries(packages)
    .filter(([path, entry]) => path !== '' && !entry.dev && !entry.devOptional)
    .map(([path]) => path)
    .filter((path) => existsSync(join(repository, path)))
}

function nativeAddons(directory) {
  return readdirSync(directory, { recursive: true })
    .filter((name) => name.endsWith('.node'))
    .map((name) => join(directory, name))
    .filter((path) => !/musl/.test(path))
}

/** Makes an empty directory for one run. */
export function workDirectory() {
  const work = join(cache, `run-${process.pid}`)
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work, { recursive: true })
  return work
}
