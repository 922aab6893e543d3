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

/** The fields of a {@link GrantError} beside its code and message: each is there only where it applies. */
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
  // Declared only: an error has no properties but those that mean something.
  declare readonly errno?: number
  declare readonly syscall?: string
  declare readonly path?: string
  declare readonly domid?: number
  declare readonly pages?: number
  declare readonly ref?: number
  declare readonly reason?: NoSpaceReason

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

/** Errors that were made in another thread, whose stack does not lead to who asked. */
const foreign = new WeakSet<Error>()

export function markForeign(error: Error): void {
  foreign.add(error)
}

/**
 * Appends the callers that wait to the stack of an error from another thread. Only a failure pays for it.
 * @param below the function that has awaited; frames from it on are left out
 */
export function sayWhoAsked(error: unknown, below: (...all: never[]) => unknown): void {
  if (!(error instanceof Error) || !foreign.delete(error)) return
  const here: { stack?: string } = {}
  Error.captureStackTrace(here, below)
  const frames = here.stack?.split('\n').slice(1) ?? []
  if (frames.length > 0) error.stack = [error.stack, '    --- asked in this thread ---', ...frames].join('\n')
}

/** Name and text of an errno, for any value: unknown ones read "errno 1234". */
export function describeErrno(errno: number): { code: string; text: string } {
  const known = getSystemErrorMap().get(-errno)
  return known ? { code: known[0], text: known[1] } : { code: `E${errno}`, text: `errno ${errno}` }
}

/** What was being done, for people: put into words only when it has failed, where it is done thousands of times a second. */
export type What = string | (() => string)

/**
 * The error of a failed system call.
 *
 * @param errno positive, as the C library reports it
 * @param what what was being done, in the reader's words: "allocating 4 pages for domain 7"
 */
export function systemCallError(
  errno: number,
  syscall: string,
  what: What,
  fields: Omit<GrantErrorFields, 'errno' | 'syscall'> = {},
): GrantError {
  const { code, text } = describeErrno(errno)
  const words = typeof what === 'string' ? what : what()
  return new GrantError(code, `${words}: ${text} (${syscall})`, { ...fields, errno: -errno, syscall })
}

/** @param what "the grant pool" */
export function closedError(what = 'the grant server'): GrantError {
  return new GrantError('ERR_GRANTS_CLOSED', `${what} is closed or closing`)
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
