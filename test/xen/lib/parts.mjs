import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { installLine, missingPackages, XEN_VERSION } from './packages.mjs'
import { cache, unpacked } from './paths.mjs'

/** In the order they have to be inserted. */
const MODULES = ['xen-gntalloc', 'xen-gntdev', 'xen-evtchn', 'xen-privcmd', 'xenfs']

/** What the machine lacks and what to type, or undefined when all parts are there. */
export function whatIsMissing() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return 'The Xen test boots an x86-64 machine with the running node inside: it needs Linux on x86-64.'
  }
  const packages = missingPackages()
  const commands = []
  if (packages.length > 0) commands.push(installLine(packages))
  if (!existsSync(join(cache, 'fetched.json'))) commands.push('npm run test:xen:fetch')
  if (commands.length === 0) return undefined
  return `Parts of the Xen test are missing. Type:\n\n  ${commands.join(' && ')}\n`
}

/**
 * The unpacked parts.
 * @returns {{ hypervisor: string, kernel: string, modules: string[], tools: string[] }} absolute paths
 */
export function findParts() {
  const boot = join(unpacked, 'boot')
  const kernel = readdirSync(boot).find((name) => name.startsWith('vmlinuz-'))
  if (!kernel) throw new Error(`no kernel in ${boot}. Type: npm run test:xen:fetch`)
  const drivers = join(unpacked, 'lib/modules', kernel.slice('vmlinuz-'.length), 'kernel/drivers/xen')
  const modules = MODULES.map((name) => findModule(drivers, name))
  checkDependencies(modules)
  return {
    hypervisor: unzipHypervisor(join(boot, `xen-${XEN_VERSION}-amd64.gz`)),
    kernel: join(boot, kernel),
    modules,
    tools: findTools(),
  }
}

function findModule(drivers, name) {
  const found = readdirSync(drivers, { recursive: true }).find((entry) => entry.endsWith(`${name}.ko`))
  if (!found) throw new Error(`${name}.ko is not in ${drivers}. Type: npm run test:xen:fetch`)
  return join(drivers, found)
}

/** insmod resolves nothing: a module that needs another must come after it, or the boot fails with a bare errno. */
function checkDependencies(modules) {
  const loaded = new Set()
  for (const path of modules) {
    const depends = /\0depends=([^\0]*)\0/.exec(readFileSync(path, 'latin1'))?.[1] ?? ''
    for (const needed of depends.replaceAll('-', '_').split(',').filter(Boolean)) {
      if (!loaded.has(needed))
        throw new Error(`${path} needs module ${needed}, which is not loaded before it`)
    }
    loaded.add(/([^/]+)\.ko$/.exec(path)[1].replaceAll('-', '_'))
  }
}

/** QEMU's multiboot loader takes the ELF file, not its compressed form. */
function unzipHypervisor(compressed) {
  // Beside it, so that fetching anew removes both.
  const target = compressed.replace(/\.gz$/, '.elf')
  if (!existsSync(target)) writeFileSync(target, gunzipSync(readFileSync(compressed)))
  return target
}

/** The tool stack that starts a second domain, and a program of Xen's own at one end of a vchan. */
function findTools() {
  const bin = join(unpacked, `usr/lib/xen-${XEN_VERSION}/bin`)
  return [
    ...['xl', 'xenstored', 'xen-init-dom0', 'xenconsoled', 'vchan-socket-proxy'].map((name) =>
      join(bin, name),
    ),
    ...['xenstore-read', 'xenstore-write'].map((name) => join(unpacked, 'usr/bin', name)),
  ]
}
