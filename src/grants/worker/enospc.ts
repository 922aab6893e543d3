import { PAGE_SIZE } from '../../abi.js'
import type { GrantDevice } from '../../drivers/gntalloc/grant-device.js'
import { GrantError, type NoSpaceReason } from '../../errors.js'

/**
 * Which of its three meanings an ENOSPC had, found with one more call: ALLOC of 0 pages (docs/enospc.md).
 *
 * Other processes may allocate in between, so the verdict is advice, not proof.
 *
 * @param indexBefore where the failed allocation would have started
 */
export function diagnoseEnospc(
  device: GrantDevice,
  indexBefore: number,
  count: number,
  ownPages: number,
): { reason: NoSpaceReason; nextIndex: number } {
  try {
    const nextIndex = device.allocate(0, 0, 0).index
    // The driver reserves the index range only once its limit check has passed: a range used up by a failure means
    // that the pages were allowed and the grant table had no room for them.
    return { reason: nextIndex >= indexBefore + count * PAGE_SIZE ? 'grant-table' : 'limit', nextIndex }
  } catch (error) {
    if (!(error instanceof GrantError) || error.code !== 'ENOSPC') throw error
    // Zero pages always fit, unless the limit was lowered below what is in use or the driver has lost count.
    const { limit } = device.limits()
    // A negative limit means none to the driver.
    const lowered = limit !== undefined && limit >= 0 && limit < ownPages
    return { reason: lowered ? 'limit' : 'wedged', nextIndex: indexBefore }
  }
}

export function enospcError(
  device: GrantDevice,
  reason: NoSpaceReason,
  domid: number,
  pages: number,
  cause: GrantError,
): GrantError {
  const what = `cannot grant ${pages} page${pages === 1 ? '' : 's'} to domain ${domid}`
  const { limit } = device.limits()
  const advice: Record<NoSpaceReason, string> = {
    limit:
      `the gntalloc limit${limit === undefined ? '' : ` of ${limit} pages`}, shared by all processes of this system, ` +
      'leaves no room. Unshare grants, or raise it as root: ' +
      'echo 32768 > /sys/module/xen_gntalloc/parameters/limit',
    'grant-table':
      "this domain's grant table, shared with its disks and network, is full. Unshare grants, have peers unmap what " +
      'they still hold, or boot with more: max_grant_frames in xl.cfg, gnttab_max_frames for dom0',
    wedged:
      'the gntalloc driver refuses even an allocation of no pages: a driver bug has wedged its accounting, or the ' +
      'limit was lowered below what is in use. Close every user of the device and reload it: ' +
      'rmmod xen_gntalloc && modprobe xen_gntalloc',
  }
  return new GrantError('ENOSPC', `${what}: ${advice[reason]}`, {
    errno: cause.errno ?? -28,
    syscall: cause.syscall ?? 'ioctl',
    path: device.path,
    domid,
    pages,
    reason,
  })
}
