import { XenStoreError } from './store-error.js'

/** How often a transaction is tried again, unless its caller says otherwise. */
export const RETRIES = 50

/** What one attempt at a transaction came to: its result, or the error that another attempt may be spared. */
export type Attempt<T> = { value: T } | { conflict: XenStoreError }

/** The number is not known (any more): a live update of xenstored ends what is open. EIO is oxenstored's word for it. */
const FORGOTTEN = new Set(['ENOENT', 'EIO'])

/** @param refused why the transaction could not be undone. @throws what its work has thrown, unless that is for a conflict */
export function failed(error: unknown, refused: XenStoreError | undefined): { conflict: XenStoreError } {
  // What it was thrown for may be what a forgotten transaction looks like: nothing is there.
  const conflict = refused && FORGOTTEN.has(refused.code) ? refused : ownConflict(error)
  if (conflict) return { conflict }
  throw error
}

/** @param refused why the transaction could not be ended as its work wanted */
export function ended<T>(value: T, refused: XenStoreError | undefined): Attempt<T> {
  if (!refused) return { value }
  if (isConflict(refused)) return { conflict: refused }
  throw refused
}

/** @param refused of the end of a transaction */
export function isConflict(refused: XenStoreError): boolean {
  return refused.code === 'EAGAIN' || FORGOTTEN.has(refused.code)
}

/**
 * xenstored may tell of a conflict already when something is asked: C's with EIO, when a node below one that the transaction has
 * read was removed outside before the transaction removes the whole.
 */
const CONFLICTS = new Set(['EAGAIN', 'EIO'])

function ownConflict(error: unknown): XenStoreError | undefined {
  const conflict =
    error instanceof XenStoreError && CONFLICTS.has(error.code) && error.transaction !== undefined
  return conflict ? error : undefined
}
