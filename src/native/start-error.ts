import { basename } from 'node:path'
import type { URL } from 'node:url'
import { fileURLToPath } from 'node:url'
import { GrantError } from '../errors.js'
import { leftBehind } from './own-file.js'

/**
 * Why a thread of this package ended before it was ready.
 * @param entry its file in `workers/`
 * @param cause what it threw, if it threw: a copy, that Node has made of it
 */
export function startError(entry: URL, cause?: unknown): GrantError {
  const what = `the thread ${basename(fileURLToPath(entry))} of xen-grants could not be started`
  const absent = leftBehind(entry)
  if (absent !== undefined) return new GrantError('ERR_GRANTS_UNSUPPORTED', `${what}: ${absent}`, { cause })
  const { code, message } = (cause ?? {}) as Partial<NodeJS.ErrnoException>
  const why = message ?? 'it ended by itself'
  return new GrantError(
    code === 'ERR_GRANTS_UNSUPPORTED' ? code : 'ERR_GRANTS_WORKER_DIED',
    `${what}: ${why}`,
    { cause },
  )
}
