import { closeSync, constants as fsConstants, openSync } from 'node:fs'
import { constants } from 'node:os'
import { BindInterdomain, IOCTL_EVTCHN_BIND_INTERDOMAIN, NO_PORT } from '../abi.js'
import { ioctl } from '../native/libc.js'
import { evtchn } from './catalogue.js'

const { EINVAL, ESRCH } = constants.errno

/**
 * Whether Xen knows a domain. There is no call that asks only this: binding to a port of the domain looks for the domain
 * first (ESRCH) and for the port second (EINVAL), in any domain, privileged or not.
 *
 * @returns undefined when the event channel device is missing or not this user's to open
 */
export function domainExists(domid: number): boolean | undefined {
  let fd: number
  try {
    fd = openSync(evtchn.path, fsConstants.O_RDWR | fsConstants.O_NOCTTY)
  } catch {
    return undefined
  }
  try {
    const argument = new DataView(new ArrayBuffer(BindInterdomain.size))
    argument.setUint32(BindInterdomain.remoteDomain, domid, true)
    argument.setUint32(BindInterdomain.remotePort, NO_PORT, true)
    const result = ioctl(fd, IOCTL_EVTCHN_BIND_INTERDOMAIN, argument)
    if (result === -ESRCH) return false
    return result === -EINVAL ? true : undefined
  } finally {
    closeSync(fd)
  }
}
