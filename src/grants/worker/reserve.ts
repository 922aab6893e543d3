import { DOMID_INVALID } from '../../abi.js'
import type { GrantDevice } from '../../drivers/gntalloc/grant-device.js'
import { GrantError } from '../../errors.js'

/** Pages kept allocated for as long as the server runs. */
export const RESERVE_PAGES = 4

/** Below this limit four pages are too many to keep. */
const SMALLEST_LIMIT = 64

/**
 * The driver takes one page too many off its count when an allocation fails for want of grant table entries, whichever
 * process asked for it. Should the count become negative, no process can allocate any more until the module is reloaded. A few
 * pages that stay allocated keep it above zero; they are granted to a domain that does not exist, so no domain can
 * map them.
 *
 * @returns how many are kept: none where the limit is small or used up. They go when the device is closed.
 */
export function takeReserve(device: GrantDevice): number {
  const { limit } = device.limits()
  if (limit !== undefined && limit >= 0 && limit < SMALLEST_LIMIT) return 0
  try {
    device.allocate(DOMID_INVALID, 0, RESERVE_PAGES)
    return RESERVE_PAGES
  } catch (error) {
    if (error instanceof GrantError && (error.code === 'ENOSPC' || error.code === 'ENOMEM')) return 0
    throw error
  }
}
