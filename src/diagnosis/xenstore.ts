import process from 'node:process'
import { XenStore } from '../xenstore/xen-store.js'
import { type Finding, isControlDomain } from './checks.js'
import type { System } from './system.js'

/** What a xenstored that works has to answer one request, in milliseconds. */
const PATIENCE_MS = 5000

/**
 * Which xenstore to look at. In the control domain its socket only: where no xenstored runs, whoever asks the kernel's device
 * wakes a thread of the kernel that then waits for one, and the kernel complains of that.
 * @returns a path; undefined: what `XenStore.open` takes by itself
 */
export async function storeToAsk(system: System): Promise<string | undefined> {
  if (process.env.XENSTORED_PATH || !(await isControlDomain(system))) return undefined
  return `${process.env.XENSTORED_RUNDIR || '/run/xenstored'}/socket`
}

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
