import { constants } from 'node:os'
import { type GrantError, systemCallError } from '../../errors.js'

/** The host has closed the connection, or is not there any more. */
export function connectionLost(path: string, syscall: string, cause?: Error): GrantError {
  const what =
    'the simulated Xen has gone: it was closed, the process that created it has ended, or the domain was destroyed'
  return systemCallError(constants.errno.ECONNRESET, syscall, what, { path, cause })
}
