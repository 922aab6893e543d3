export interface StoreErrorFields {
  operation: string
  path?: string | undefined
  transaction?: number | undefined
  inDoubt?: boolean | undefined
  cause?: unknown
}

/**
 * Every failure of the xenstore that a caller can act on. `code` is one of
 *
 * - what xenstored said, as it said it: 'ENOENT', 'EACCES', 'ENOSPC', of oxenstored also 'EQUOTA', or any other name;
 * - the errno name of what failed on the way to it: of `open` 'ENOENT', 'EACCES', 'ECONNREFUSED', later 'ECONNRESET' (the
 *   connection has been lost) or 'ETIMEDOUT' (xenstored does not answer);
 * - 'ERR_GRANTS_CLOSED', 'ERR_GRANTS_PROTOCOL' (a message or a value that is not what it should be),
 *   'ERR_GRANTS_WORKER_DIED'.
 */
export class XenStoreError extends Error {
  readonly code: string
  /** What was called: 'read', 'write', 'transaction', 'watch', 'open'. */
  readonly operation: string
  /** The node, as the caller named it. */
  readonly path?: string
  /** xenstored's number of the transaction the call was made in. */
  readonly transaction?: number
  /** True when the request had been sent and no answer came: it may have been carried out. */
  readonly inDoubt: boolean

  constructor(code: string, message: string, fields: StoreErrorFields) {
    const { operation, path, transaction, inDoubt = false, cause } = fields
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.operation = operation
    if (path !== undefined) this.path = path
    if (transaction !== undefined) this.transaction = transaction
    this.inDoubt = inDoubt
  }

  static {
    Object.defineProperty(XenStoreError.prototype, 'name', {
      value: 'XenStoreError',
      configurable: true,
      writable: true,
    })
  }
}

/** What a request was about, for messages. */
export type Subject = Pick<StoreErrorFields, 'operation' | 'path' | 'transaction'>

/** `read "/local/domain/3/name" in transaction 7` */
export function describe({ operation, path, transaction }: Subject): string {
  if (operation === 'transaction') return transaction === undefined ? operation : `transaction ${transaction}`
  const where = path === undefined ? '' : ` ${JSON.stringify(path)}`
  const within = transaction === undefined ? '' : ` in transaction ${transaction}`
  return operation + where + within
}

/** A message, or a value in one, is not what xenstored or a well-behaved peer sends. */
export function protocolError(what: string, subject: Subject): XenStoreError {
  return new XenStoreError('ERR_GRANTS_PROTOCOL', `${describe(subject)}: ${what}`, subject)
}

export function closedError(subject: Subject, inDoubt = false): XenStoreError {
  const end = inDoubt
    ? 'was closed before an answer came: the request may have been carried out'
    : 'is closed'
  return new XenStoreError('ERR_GRANTS_CLOSED', `${describe(subject)}: the store ${end}`, {
    ...subject,
    inDoubt,
  })
}

/** The error of one request among those that the end of the connection has left without an answer. */
export function unanswered(reason: XenStoreError, subject: Subject, inDoubt: boolean): XenStoreError {
  if (reason.code === 'ERR_GRANTS_CLOSED') return closedError(subject, inDoubt)
  const doubt = inDoubt ? ' The request may have been carried out.' : ''
  const message = `${describe(subject)}: the connection to xenstored is lost (${reason.message}).${doubt}`
  return new XenStoreError(reason.code, message, { ...subject, inDoubt, cause: reason })
}
