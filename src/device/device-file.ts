import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { GrantError, systemCallError } from '../errors.js'
import { openFailure, type XenDevice } from './open-failure.js'

/**
 * Opens a device of Xen's for reading and writing: the grant drivers let a read-only file map nothing, not even for reading.
 * Node knows the descriptor, so it closes it when the thread that opened it ends for whatever reason.
 *
 * @param flags more of open(2)'s, such as O_NONBLOCK
 * @param probe asks something harmless that only this driver answers as it does
 * @returns the descriptor
 * @throws GrantError when `path` cannot be opened or is not that device; the message says what to do
 */
export function openDeviceFile(
  device: XenDevice,
  path: string,
  flags: number,
  probe: (fd: number) => void,
): number {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_NOCTTY | flags)
  } catch (error) {
    throw openFailure(device, path, error)
  }
  try {
    if (!fstatSync(fd).isCharacterDevice()) {
      const what = `${path} is not a character device; ${device.kind} is ${device.path}`
      throw new GrantError('ENODEV', what, { path })
    }
    probe(fd)
  } catch (error) {
    closeSync(fd)
    throw error
  }
  return fd
}

/** What a probe throws when the answer to it was another driver's. */
export function wrongDevice(device: XenDevice, path: string, errno: number): GrantError {
  const what = `${path} does not answer as ${device.kind}, which is ${device.path}`
  return systemCallError(errno, 'ioctl', what, { path })
}

/** The number in a file of /sys. A kernel may lack it, or keep it from this user (0600): then it is unknown, no error. */
export function readNumber(path: string): number | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
  return /^-?\d+$/.test(text) ? Number(text) : undefined
}

export function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}

export function pages(count: number): string {
  return count === 1 ? '1 page' : `${count} pages`
}
