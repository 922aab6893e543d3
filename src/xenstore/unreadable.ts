import { XenStoreError } from './store-error.js'

/** @param code of an error */
export function isUnreadable(code: string): boolean {
  return code === 'ENOENT' || code === 'EACCES'
}

/**
 * For what may not be there. xenstored hides from a guest that a node is absent where the guest may not read the one above.
 */
export function whenUnreadable(error: unknown): undefined {
  if (error instanceof XenStoreError && isUnreadable(error.code)) return undefined
  throw error
}
