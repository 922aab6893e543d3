import process from 'node:process'
import { GrantError } from '../errors.js'

/**
 * What runs this program, if it is not Node. Others have Node's modules, and other threads, ports and descriptors below them:
 * docs/platforms.md says what went wrong there.
 */
export function otherRuntime(versions: NodeJS.Dict<string> = process.versions): string | undefined {
  if (versions.bun !== undefined) return `Bun ${versions.bun}`
  if (versions.deno !== undefined) return `Deno ${versions.deno}`
  return undefined
}

/** Threads of this package that use a device, or stand in for one, are started by Node only. @throws GrantError */
export function assertNode(other = otherRuntime()): void {
  if (other === undefined) return
  throw new GrantError(
    'ERR_GRANTS_UNSUPPORTED',
    `xen-grants needs Node: this is ${other}, in which events do not arrive and closing a device fails`,
  )
}
