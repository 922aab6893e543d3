import { type DeviceKind, evtchn, gntdev, udevFile, udevRule } from '../drivers/catalogue.js'
import type { StorePermission } from '../xenstore/permissions.js'
import { XenStoreError } from '../xenstore/store-error.js'
import { XenStore } from '../xenstore/xen-store.js'
import type { Finding } from './checks.js'
import type { System } from './system.js'

/** What a xenstored that works has to answer one request, in milliseconds. */
const PATIENCE_MS = 5000

/**
 * What vchans and services need beside grants: to send events, to map what others have granted, and a place in xenstore for keys.
 * @param storePath as for XenStore.open; default: this domain's
 */
export async function checkServices(system: System, storePath?: string): Promise<Finding[]> {
  return Promise.all([
    checkKind(system, evtchn, 'event channels'),
    checkKind(system, gntdev, 'mapping'),
    checkKeys(storePath),
  ])
}

async function checkKind(system: System, kind: DeviceKind, check: string): Promise<Finding> {
  const { path, kernelModule } = kind
  const { exists, accessible } = await system.inspect(path)
  if (!exists) {
    const message = `${path} does not exist: the module is not loaded`
    return { check, status: 'attention', message, remedy: `modprobe ${kernelModule} (as root)` }
  }
  if (accessible) return { check, status: 'ok', message: path }
  return {
    check,
    status: 'attention',
    message: `${path} may not be opened for reading and writing by this user`,
    remedy: `run as root, or allow a group: echo '${udevRule(kind)}' > ${udevFile(kind)} && udevadm control --reload && udevadm trigger`,
  }
}

/** A domain may make keys below a node of its own, which the toolstack has made when it made the domain. */
async function checkKeys(path: string | undefined): Promise<Finding> {
  const check = 'services'
  try {
    await using store = await XenStore.open({ timeout: PATIENCE_MS, ...(path !== undefined && { path }) })
    const domid = await store.domid()
    const place = `/local/domain/${domid}/data`
    if (domid === 0 || mayWrite(await store.permissions(place), domid))
      return { check, status: 'ok', message: `their keys can be put below ${place}` }
    return {
      check,
      status: 'attention',
      message: `this domain may not write to ${place}: it can connect to services, and not listen`,
      remedy: `in domain 0: xenstore-chmod ${place} n${domid}`,
    }
  } catch (error) {
    const absent = error instanceof XenStoreError && error.code === 'ENOENT'
    return {
      check,
      status: 'attention',
      message: `no keys can be put into xenstore: ${(error as Error).message}`,
      remedy: absent
        ? 'in domain 0: xenstore-write /local/domain/N/data "" && xenstore-chmod /local/domain/N/data nN, N being the number of this domain'
        : 'granting needs none, services do: see "xenstore" above',
    }
  }
}

/** The first is the owner, who may do everything. */
function mayWrite(permissions: readonly StorePermission[], domid: number): boolean {
  return permissions.some(
    (one, i) => one.domid === domid && (i === 0 || one.access === 'write' || one.access === 'both'),
  )
}
