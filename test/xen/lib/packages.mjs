import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export const XEN_VERSION = '4.17'
const MULTIARCH = '/usr/lib/x86_64-linux-gnu'

/** What is installed on the host: harmless there, and each recognised by a file it brings. */
const INSTALLED = [
  { name: 'qemu-system-x86', command: 'qemu-system-x86_64' },
  { name: 'seabios', file: '/usr/share/seabios/bios-256k.bin' },
  { name: 'busybox-static', file: '/bin/busybox' },
  { name: 'cpio', command: 'cpio' },
  { name: 'gcc', command: 'gcc' },
  { name: 'libc6-dev', file: '/usr/include/stdio.h' },
  { name: 'libxen-dev', file: '/usr/include/xengnttab.h' },
  { name: 'libyajl2', file: `${MULTIARCH}/libyajl.so.2` },
  { name: 'libncurses6', file: '/lib/x86_64-linux-gnu/libncurses.so.6' },
]

/**
 * What is only unpacked: installing a kernel or a hypervisor would rewrite the host's boot loader. `members` are the
 * files wanted out of the archive, as tar patterns.
 */
export const FETCHED = [
  { name: `xen-hypervisor-${XEN_VERSION}-amd64`, members: [`./boot/xen-${XEN_VERSION}-amd64.gz`] },
  {
    name: 'linux-image-amd64',
    // A package without files: it depends on the kernel of the day.
    followDependency: /^linux-image-\d.*-amd64$/,
    members: ['./boot/vmlinuz-*', './lib/modules/*/kernel/drivers/xen/*'],
  },
  { name: `xen-utils-${XEN_VERSION}`, members: [`./usr/lib/xen-${XEN_VERSION}/bin/*`] },
  { name: 'xenstore-utils', members: ['./usr/bin/*'] },
]

/** Names of the packages of which the host lacks a part. */
export function missingPackages() {
  return INSTALLED.filter((part) => !isPresent(part)).map(({ name }) => name)
}

function isPresent({ command, file }) {
  if (file) return existsSync(file)
  return (process.env.PATH ?? '').split(delimiter).some((directory) => existsSync(join(directory, command)))
}

/** The one line to type. */
export function installLine(names) {
  return `apt-get update && apt-get install --yes --no-install-recommends ${names.join(' ')}`
}
