import { constants } from 'node:os'
import { UNMAP_NOTIFY_CLEAR_BYTE, UNMAP_NOTIFY_SEND_EVENT } from '../../abi.js'
import { systemCallError } from '../../errors.js'
import type { EventChannels } from './event-channels.js'
import type { Port } from './port.js'

const { EINVAL } = constants.errno

/** What a driver has been told to do when pages go. It keeps its port, also after the program has unbound it. */
export interface Notification {
  readonly action: number
  /** The byte to clear, from the start of what the notification is for. */
  readonly offset: number
  readonly port: Port | undefined
}

/**
 * The checks that gntalloc and gntdev share, in their order.
 * @param channels of the domain that arms it
 * @returns undefined for action 0: nothing to do
 * @throws GrantError EINVAL
 */
export function makeNotification(
  channels: EventChannels,
  action: number,
  offset: number,
  portNumber: number,
): Notification | undefined {
  const fail = (why: string) => systemCallError(EINVAL, 'ioctl', `setting an unmap notification: ${why}`)
  if ((action & ~(UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT)) !== 0)
    throw fail(`unknown action ${action}`)
  let port: Port | undefined
  if ((action & UNMAP_NOTIFY_SEND_EVENT) !== 0) {
    port = channels.hold(portNumber)
    if (port === undefined) throw fail(`port ${portNumber} is not bound`)
  }
  return action === 0 ? undefined : { action, offset, port }
}

/** Lets go of the port of a notification that is replaced, or has fired. */
export function dropNotification(channels: EventChannels, notification: Notification | undefined): void {
  if (notification?.port !== undefined) channels.release(notification.port)
}

export function clearsByte(notification: Notification | undefined): notification is Notification {
  return notification !== undefined && (notification.action & UNMAP_NOTIFY_CLEAR_BYTE) !== 0
}
