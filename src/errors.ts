import { getSystemErrorMap } from 'node:util'

/** Why an allocation had no space. See `docs/enospc.md` for how each is recognised. */
export type NoSpaceReason = 'limit' | 'grant-table' | 'wedged'

/** States of the library, as opposed to failures of a system call. */
export type LibraryErrorCode =
  | 'ERR_GRANTS_CLOSED'
  | 'ERR_GRANTS_UNSHARED'
  | 'ERR_GRANTS_BUSY'
  | 'ERR_GRANTS_QUOTA'
  | 'ERR_GRANTS_WORKER_DIED'
  | 'ERR_GRANTS_UNSUPPORTED'
  | 'ERR_GRANTS_SHORT_READ'
  | 'ERR_GRANTS_PROTOCOL'

export interface GrantErrorFields {
  /** Negative, as in Node's own system errors. */
  errno?: number
  syscall?: string
  path?: string
  domid?: number
  pages?: number
  /** The grant reference that is at fault, where it is known. */
  ref?: number
  reason?: NoSpaceReason
  cause?: unknown
}

/**
 * Every failure a caller can act on. `code` is either the name of the errno ('ENOSPC') of a failed system call, then
 * `errno` and `syscall` are set too, or one of {@link LibraryErrorCode}.
 */
export class GrantError extends Error {
  readonly code: string
  readonly errno?: number
  readonly syscall?: string
  readonly path?: string
  readonly domid?: number
  readonly pages?: number
  readonly ref?: number
  readonly reason?: NoSpaceReason

  constructor(code: string, message: string, fields: GrantErrorFields = {}) {
    const { cause, ...own } = fields
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    for (const [key, value] of Object.entries(own)) {
      if (value !== undefined) Object.assign(this, { [key]: value })
    }
  }

  static {
    Object.defineProperty(GrantError.prototype, 'name', {
      value: 'GrantError',
      configurable: true,
      writable: true,
    })
  }
}

/** Name and text of an errno, for any value: unknown ones read "errno 1234". */
export function describeErrno(errno: number): { code: string; text: string } {
  const known = getSystemErrorMap().get(-errno)
  return known ? { code: known[0], text: known[1] } : { code: `E${errno}`, text: `errno ${errno}` }
}

/**
 * The error of a failed system call.
 *
 * @param errno positive, as the C library reports it
 * @param what what was being done, in the reader's words: "allocating 4 pages for domain 7"
 */
export function systemCallError(
  errno: number,
  syscall: string,
  what: string,
  fields: Omit<GrantErrorFields, 'errno' | 'syscall'> = {},
): GrantError {
  const { code, text } = describeErrno(errno)
  return new GrantError(code, `${what}: ${text} (${syscall})`, { ...fields, errno: -errno, syscall })
}

export function closedError(): GrantError {
  return new GrantError('ERR_GRANTS_CLOSED', 'the grant server is closed or closing')
}

export function diedError(cause?: unknown): GrantError {
  return new GrantError(
    'ERR_GRANTS_WORKER_DIED',
    'the device worker died; what was granted through it has been given back',
    { cause },
  )
}

export function busyError(maxQueue: number): GrantError {
  return new GrantError(
    'ERR_GRANTS_BUSY',
    `${maxQueue} requests (maxQueue) already wait at the device worker. Try again when some have been answered`,
  )
}
