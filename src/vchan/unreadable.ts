import { XenStoreError } from '../xenstore/store-error.js'

/**
 * For what may not be there. xenstored hides from a guest that a node is absent where the guest may not read the one above.
 */
export function whenUnreadable(error: unknown): undefined {
  if (error instanceof XenStoreError && (error.code === 'ENOENT' || error.code === 'EACCES')) return undefined
  throw error
}
