import { UNMAP_NOTIFY_CLEAR_BYTE, UNMAP_NOTIFY_SEND_EVENT } from '../abi.js'
import { GrantError } from '../errors.js'

const U32_MAX = 0xffff_ffff

/**
 * A number of a message to the mapping worker. The client has checked what its caller gave it: what is refused here can only come
 * from something other than this package's client.
 *
 * @throws GrantError ERR_GRANTS_PROTOCOL
 */
export function checkNumber(what: string, value: unknown, min: number, max: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max)
    return value as number
  const range = `must be an integer from ${min} to ${max}`
  throw new GrantError('ERR_GRANTS_PROTOCOL', `the ${what} in a message ${range}, is ${String(value)}`)
}

export function checkDomid(value: unknown): number {
  return checkNumber('domid', value, 0, 0xffff)
}

export function checkReference(value: unknown): number {
  return checkNumber('reference', value, 1, U32_MAX)
}

/** 0: none. */
export function checkPort(value: unknown): number {
  return checkNumber('port', value, 0, U32_MAX)
}

/** What is to happen when a mapping ends. */
export interface MapNotify {
  /** Of a byte in the mapping. */
  offset: number
  action: number
  port: number
}

/** Whether the byte is in the mapping is for who knows how large that is. */
export function checkNotify(offset: unknown, action: unknown, port: unknown): MapNotify {
  return {
    offset: checkNumber('offset', offset, 0, U32_MAX),
    action: checkNumber('action', action, 0, UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT),
    port: checkPort(port),
  }
}
