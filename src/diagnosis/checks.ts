import { gntalloc, udevFile, udevRule } from '../drivers/catalogue.js'
import type { System } from './system.js'

/** One thing that `diagnose()` has looked at. */
export interface Finding {
  /** Short name of what was looked at. */
  check: string
  /** `missing`: nothing works without it. `attention`: works, but will hurt. `unknown`: could not be read. */
  status: 'ok' | 'attention' | 'missing' | 'unknown'
  message: string
  /** What to type or change. */
  remedy?: string
}

export function checkNode({ nodeVersion, otherRuntime }: System): Finding {
  if (otherRuntime !== undefined)
    return {
      check: 'node',
      status: 'missing',
      message: `this is ${otherRuntime}, in which devices cannot be used`,
      remedy: 'run the program with Node 20.19 or later',
    }
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number)
  const enough = major > 20 || (major === 20 && minor >= 19)
  return enough
    ? { check: 'node', status: 'ok', message: `Node ${nodeVersion}` }
    : {
        check: 'node',
        status: 'missing',
        message: `Node ${nodeVersion} is too old`,
        remedy: 'install Node 20.19 or later',
      }
}

export function checkPlatform({ platform, arch }: System): Finding {
  const message = `${platform} on ${arch}`
  return platform === 'linux' && (arch === 'x64' || arch === 'arm64')
    ? { check: 'platform', status: 'ok', message }
    : {
        check: 'platform',
        status: 'missing',
        message: `${message}: the grant devices exist on Linux only, on x86-64 and arm64`,
        remedy: 'develop on a SimulatedXen (Linux), run in a Linux domain of a Xen host',
      }
}

/** Without koffi no device can be opened, a simulated one neither. */
export async function checkNative(system: System): Promise<Finding> {
  const failure = await system.startThread()
  if (failure === undefined)
    return { check: 'native code', status: 'ok', message: 'a thread can call the C library' }
  return {
    check: 'native code',
    status: 'missing',
    message: failure,
    remedy:
      'npm install xen-grants on this machine, without --omit=optional; from a bundle, keep it external',
  }
}

/** Domain 0, in most machines: where xenstored runs. */
export async function isControlDomain(system: System): Promise<boolean> {
  const capabilities = await system.read('/proc/xen/capabilities')
  return 'text' in capabilities && capabilities.text.includes('control_d')
}

export async function checkHypervisor(system: System): Promise<Finding> {
  const type = await system.read('/sys/hypervisor/type')
  if ('text' in type && type.text === 'xen') {
    const control = await isControlDomain(system)
    return {
      check: 'xen',
      status: 'ok',
      message: control ? 'running in the control domain' : 'running in a Xen domain',
    }
  }
  return {
    check: 'xen',
    status: 'missing',
    message: 'this system does not run on Xen',
    remedy: "for development use a SimulatedXen: import { SimulatedXen } from 'xen-grants/simulated'",
  }
}

export async function checkDevice(system: System, path: string): Promise<Finding> {
  const { exists, characterDevice, accessible } = await system.inspect(path)
  if (!exists) {
    return {
      check: 'device',
      status: 'missing',
      message: `${path} does not exist: the module is not loaded`,
      remedy:
        'modprobe xen-gntalloc (as root; at every boot: echo xen-gntalloc > /etc/modules-load.d/xen-gntalloc.conf)',
    }
  }
  if (exists && accessible && !characterDevice) {
    return {
      check: 'device',
      status: 'missing',
      message: `${path} is not a device`,
      remedy: 'name the grant device',
    }
  }
  if (!accessible) {
    return {
      check: 'device',
      status: 'missing',
      message: `${path} may not be opened for reading and writing by this user`,
      remedy:
        `run as root, or allow a group: echo '${udevRule(gntalloc)}' > ` +
        `${udevFile(gntalloc)} && udevadm control --reload && udevadm trigger`,
    }
  }
  return { check: 'device', status: 'ok', message: path }
}

/** At the default rate a domain that churns large grants fills its table with pages that wait to be freed. */
export async function checkDeferredRate(system: System): Promise<Finding> {
  const path = '/sys/module/grant_table/parameters/free_per_iteration'
  const rate = await system.read(path)
  if ('code' in rate) {
    return {
      check: 'deferred pages',
      status: 'unknown',
      message: `${path} cannot be read (${rate.code}); the kernel's default frees 10 pages a second that a peer unmapped late`,
    }
  }
  const perSecond = Number(rate.text)
  if (perSecond === 0 || perSecond >= 100) {
    const message = perSecond === 0 ? 'freed without limit' : `up to ${perSecond} freed a second`
    return { check: 'deferred pages', status: 'ok', message }
  }
  return {
    check: 'deferred pages',
    status: 'attention',
    message: `pages that a peer still maps when they are given back are freed at ${perSecond} a second`,
    remedy: `echo 1000 > ${path} (as root), and have peers unmap before the grant is unshared`,
  }
}
