import { endianness } from 'node:os'
import process from 'node:process'
import { GrantError } from '../errors.js'
import { assertNode } from '../native/runtime.js'

const architectures = ['x64', 'arm64']

/** Importing works everywhere, using works where the driver and its ABI exist. @throws GrantError */
export function assertSupported(): void {
  assertNode()
  const { platform, arch } = process
  if (platform === 'linux' && architectures.includes(arch) && endianness() === 'LE') return
  throw new GrantError(
    'ERR_GRANTS_UNSUPPORTED',
    `xen-grants needs Linux on x86-64 or arm64: /dev/xen/gntalloc exists nowhere else. This is ${platform} on ${arch}`,
  )
}
