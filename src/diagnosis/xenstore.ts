import { XenStore } from '../xenstore/xen-store.js'
import type { Finding } from './checks.js'

/** What a xenstored that works has to answer one request, in milliseconds. */
const PATIENCE_MS = 5000

/** @param path as for XenStore.open; default: this domain's */
export async function checkXenstore(path?: string): Promise<Finding> {
  const check = 'xenstore'
  try {
    await using store = await XenStore.open({ timeout: PATIENCE_MS, ...(path !== undefined && { path }) })
    const domid = await store.domid()
    return { check, status: 'ok', message: `answers through ${store.path}; this is domain ${domid}` }
  } catch (error) {
    return {
      check,
      status: 'attention',
      message: `cannot be used: ${(error as Error).message}`,
      remedy:
        'granting needs none, XenStore does: run as root; in domain 0 xenstored has to run (systemctl start xenstored)',
    }
  }
}
