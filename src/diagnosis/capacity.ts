import { GrantError } from '../errors.js'
import { GrantServer } from '../grants/grant-server.js'
import type { Finding } from './checks.js'
import type { System } from './system.js'

/** Probing stops here: a probe that exhausts the grant table would itself harm the driver's accounting. */
const PROBE_PAGES = 1024

/** The limit, how much of it is free, the grant table, and whether the driver is wedged. */
export async function checkCapacity(system: System, device: string): Promise<Finding[]> {
  const limit = await system.read('/sys/module/xen_gntalloc/parameters/limit')
  const known = 'text' in limit ? Number(limit.text) : undefined
  let server: GrantServer
  try {
    server = await GrantServer.open({ device, maxPages: PROBE_PAGES })
  } catch (error) {
    return [{ check: 'driver', status: 'missing', message: (error as Error).message }]
  }
  try {
    const { free, error } = await freePages(server)
    const { reserve } = await server.stats()
    return [limitFinding(known, Math.min(PROBE_PAGES, free + reserve), error), tableFinding(error)]
  } finally {
    await server.close({ force: true })
  }
}

/** Largest grant that succeeds, by bisection: a refusal by the limit has no side effect. */
async function freePages(server: GrantServer): Promise<{ free: number; error: GrantError | undefined }> {
  let free = 0
  let refused = PROBE_PAGES + 1
  let error: GrantError | undefined
  let pages = 1
  while (refused - free > 1) {
    try {
      const grant = await server.share({ domid: 0, pages })
      await grant.unshare()
      free = pages
      pages = Math.min(PROBE_PAGES, free * 2, free + Math.ceil((refused - free) / 2))
    } catch (caught) {
      if (!(caught instanceof GrantError) || caught.code !== 'ENOSPC') throw caught
      error = caught
      refused = pages
      // Only the limit may be probed further: each failure for want of table entries harms the driver's accounting.
      if (caught.reason !== 'limit') break
      pages = free + Math.floor((refused - free) / 2)
    }
  }
  return { free, error }
}

function limitFinding(limit: number | undefined, free: number, error: GrantError | undefined): Finding {
  if (error?.reason === 'wedged') return { check: 'limit', status: 'missing', message: error.message }
  const known = limit === undefined ? 'cannot be read' : `${limit} pages`
  const left = free >= PROBE_PAGES ? `at least ${free} free` : `${free} free`
  const message = `limit ${known} for all processes together, ${left}`
  const remedy = 'echo 32768 > /sys/module/xen_gntalloc/parameters/limit (as root; at load time: limit=32768)'
  if (free === 0) return { check: 'limit', status: 'missing', message, remedy }
  return free < 256
    ? { check: 'limit', status: 'attention', message, remedy }
    : { check: 'limit', status: 'ok', message }
}

function tableFinding(error: GrantError | undefined): Finding {
  if (error?.reason === 'grant-table') {
    return {
      check: 'grant table',
      status: 'missing',
      message: error.message,
      remedy: 'max_grant_frames in xl.cfg for guests, gnttab_max_frames on the Xen command line for dom0',
    }
  }
  return {
    check: 'grant table',
    status: 'unknown',
    message:
      'its size cannot be read from a program; Xen gives 64 frames of 512 entries (32768) unless told otherwise',
  }
}
