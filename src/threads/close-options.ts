import { checkBoolean, checkOptions } from '../arguments.js'

/** How a server, a client or a mapper is closed. */
export interface CloseOptions {
  /** Do not wait for running fills and other threads: abort them, take the memory away. Default false. */
  force?: boolean | undefined
}

/** @returns whether to force. @throws TypeError */
export function checkClose(options: unknown): boolean {
  const { force = false } = checkOptions<CloseOptions>('options', options, ['force'])
  checkBoolean('options.force', force)
  return force
}
