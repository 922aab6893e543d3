import { DOMID_FIRST_RESERVED, UNMAP_NOTIFY_CLEAR_BYTE, UNMAP_NOTIFY_SEND_EVENT } from '../abi.js'
import { GrantError } from '../errors.js'
import { Op, ShareFlag, UnshareFlag } from '../protocol/messages.js'
import type { Request } from './request.js'

/** A view is one ArrayBuffer, and V8 indexes no more than 4 GiB of one on every supported Node. */
export const MAX_PAGES_PER_GRANT = 2 ** 20

const U32_MAX = 0xffff_ffff

/** The largest value of the arguments a, b, c, d of each operation; the smallest is 0, except as {@link smallest} says. */
const largest: Record<number, readonly number[]> = {
  [Op.share]: [DOMID_FIRST_RESERVED - 1, MAX_PAGES_PER_GRANT, ShareFlag.writable | ShareFlag.wait],
  [Op.unshare]: [Number.MAX_SAFE_INTEGER, UnshareFlag.force | UnshareFlag.fireNotify],
  [Op.attach]: [Number.MAX_SAFE_INTEGER],
  [Op.detach]: [Number.MAX_SAFE_INTEGER],
  [Op.setUnmapNotify]: [
    Number.MAX_SAFE_INTEGER,
    Number.MAX_SAFE_INTEGER,
    UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT,
    U32_MAX,
  ],
  [Op.cancel]: [Number.MAX_SAFE_INTEGER],
  [Op.requestUnshare]: [Number.MAX_SAFE_INTEGER],
  [Op.domainExists]: [DOMID_FIRST_RESERVED - 1],
}

/** A share of no pages is none, and grants are numbered from 1; requests and domains from 0. */
function smallest(op: number, argument: number): number {
  if (op === Op.share) return argument === 1 ? 1 : 0
  return argument === 0 && op !== Op.cancel && op !== Op.domainExists ? 1 : 0
}

/**
 * Clients are threads of the same process, but a port can be in anybody's hands: nothing on it is believed. What is
 * refused here can only come from something other than this package's client.
 * @throws GrantError ERR_GRANTS_PROTOCOL
 */
export function checkRequest(request: Request): void {
  const max = largest[request.op]
  if (!max) throw new GrantError('ERR_GRANTS_PROTOCOL', `no operation has the number ${request.op}`)
  checkArgument(request.op, 0, request.a, max[0])
  checkArgument(request.op, 1, request.b, max[1])
  checkArgument(request.op, 2, request.c, max[2])
  checkArgument(request.op, 3, request.d, max[3])
}

/** @param max undefined for an argument the operation does not look at */
function checkArgument(op: number, argument: number, value: number, max: number | undefined): void {
  if (max === undefined) return
  const min = smallest(op, argument)
  if (Number.isSafeInteger(value) && value >= min && value <= max) return
  throw new GrantError(
    'ERR_GRANTS_PROTOCOL',
    `argument ${'abcd'[argument]} of operation ${op} must be an integer from ${min} to ${max}, is ${value}`,
  )
}
