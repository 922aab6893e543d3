import { checkOptions, invalidArgType } from '../arguments.js'
import { gntalloc } from '../drivers/catalogue.js'
import { checkCapacity } from './capacity.js'
import {
  checkDeferredRate,
  checkDevice,
  checkHypervisor,
  checkNative,
  checkNode,
  checkPlatform,
  type Finding,
} from './checks.js'
import { checkServices } from './services.js'
import { type System, thisSystem } from './system.js'
import { checkXenstore, storeToAsk } from './xenstore.js'

/** What to look at. */
export interface DiagnoseOptions {
  /** Default '/dev/xen/gntalloc'. */
  device?: string | undefined
}

/** Everything that `diagnose()` has found, in the order in which it looked. */
export interface Diagnosis {
  /** True when pages can be granted on this machine now. */
  ready: boolean
  findings: Finding[]
}

/**
 * Looks for everything that keeps this machine from granting pages, and says what to type about it; then for what services and
 * streams need as well. Grants up to 1024
 * pages for a moment to see how many are free; changes nothing.
 */
export async function diagnose(options?: DiagnoseOptions): Promise<Diagnosis> {
  const { device = gntalloc.path } = checkOptions<DiagnoseOptions>('options', options, ['device'])
  if (typeof device !== 'string') throw invalidArgType('options.device', 'a path', device)
  return diagnoseSystem(thisSystem, device)
}

/** Stops at the first thing that makes the rest meaningless. */
export async function diagnoseSystem(system: System, device: string): Promise<Diagnosis> {
  const findings: Finding[] = []
  const blocked = (finding: Finding): boolean => {
    findings.push(finding)
    return finding.status === 'missing'
  }
  const ready =
    !blocked(checkNode(system)) &&
    !blocked(checkPlatform(system)) &&
    !blocked(await checkNative(system)) &&
    !blocked(await checkHypervisor(system)) &&
    !blocked(await checkDevice(system, device)) &&
    !(await checkCapacity(system, device)).some(blocked)
  if (ready) {
    const store = await storeToAsk(system)
    findings.push(
      await checkDeferredRate(system),
      await checkXenstore(store),
      ...(await checkServices(system, store)),
    )
  }
  return { ready, findings }
}
