import { DOMID_FIRST_RESERVED, UNMAP_NOTIFY_CLEAR_BYTE, UNMAP_NOTIFY_SEND_EVENT } from '../abi.js'
import { GrantError } from '../errors.js'
import { Op, ShareFlag, UnshareFlag } from '../protocol/messages.js'
import type { Request } from './request.js'

/** A view is one ArrayBuffer, and V8 indexes no more than 4 GiB of one on every supported Node. */
export const MAX_PAGES_PER_GRANT = 2 ** 20

const U32_MAX = 0xffff_ffff

/** [minimum, maximum] of the arguments a, b, c, d of each operation. */
const ranges: Record<number, readonly (readonly [number, number])[]> = {
  [Op.share]: [
    [0, DOMID_FIRST_RESERVED - 1],
    [1, MAX_PAGES_PER_GRANT],
    [0, ShareFlag.writable | ShareFlag.wait],
  ],
  [Op.unshare]: [
    [1, Number.MAX_SAFE_INTEGER],
    [0, UnshareFlag.force | UnshareFlag.fireNotify],
  ],
  [Op.attach]: [[1, Number.MAX_SAFE_INTEGER]],
  [Op.detach]: [[1, Number.MAX_SAFE_INTEGER]],
  [Op.setUnmapNotify]: [
    [1, Number.MAX_SAFE_INTEGER],
    [0, Number.MAX_SAFE_INTEGER],
    [0, UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT],
    [0, U32_MAX],
  ],
  [Op.cancel]: [[0, Number.MAX_SAFE_INTEGER]],
  [Op.requestUnshare]: [[1, Number.MAX_SAFE_INTEGER]],
}

/**
 * Clients are threads of the same process, but a port can be in anybody's hands: nothing on it is believed. What is
 * refused here can only come from something other than this package's client.
 * @throws GrantError ERR_GRANTS_PROTOCOL
 */
export function checkRequest(request: Request): void {
  const range = ranges[request.op]
  if (!range) throw new GrantError('ERR_GRANTS_PROTOCOL', `no operation has the number ${request.op}`)
  const values = [request.a, request.b, request.c, request.d]
  for (const [i, [min, max]] of range.entries()) {
    const value = values[i]!
    if (!Number.isSafeInteger(value) || value < min || value > max) {
      throw new GrantError(
        'ERR_GRANTS_PROTOCOL',
        `argument ${'abcd'[i]} of operation ${request.op} must be an integer from ${min} to ${max}, is ${value}`,
      )
    }
  }
}
