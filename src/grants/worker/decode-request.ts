import { DOMID_FIRST_RESERVED, UNMAP_NOTIFY_CLEAR_BYTE, UNMAP_NOTIFY_SEND_EVENT } from '../../abi.js'
import { GrantError } from '../../errors.js'
import { Op, RequestField, ShareFlag, UnshareFlag } from '../grant-messages.js'
import type { ClientSession } from './client-session.js'
import {
  CancelRequest,
  DomainExistsRequest,
  GrantRequest,
  NotifyRequest,
  type Request,
  ShareRequest,
  UnshareRequest,
} from './request.js'

/** A view is one ArrayBuffer, and V8 indexes no more than 4 GiB of one on every supported Node. */
export const MAX_PAGES_PER_GRANT = 2 ** 20

const U32_MAX = 0xffff_ffff

/** The largest value of the arguments a, b, c, d of each operation; the smallest is 0, except as {@link smallest} says. */
const largest: Record<number, readonly number[]> = {
  [Op.share]: [
    DOMID_FIRST_RESERVED - 1,
    MAX_PAGES_PER_GRANT,
    ShareFlag.writable | ShareFlag.wait | ShareFlag.status,
  ],
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
 * Clients are threads of the same process, but a port can be passed on: nothing that arrives on it is trusted. What is
 * refused here can only come from something other than this package's client.
 *
 * @param at where the request begins, see `RequestField`
 * @throws GrantError ERR_GRANTS_PROTOCOL
 */
export function decodeRequest(session: ClientSession, numbers: readonly number[], at: number): Request {
  const id = numbers[at + RequestField.requestId]!
  const op = numbers[at + RequestField.op]!
  const a = numbers[at + RequestField.a]!
  const b = numbers[at + RequestField.b]!
  const c = numbers[at + RequestField.c]!
  const d = numbers[at + RequestField.d]!
  // The array may hold anything: of what follows only the arguments are checked by their operation.
  if (!Number.isSafeInteger(id) || !Number.isSafeInteger(op))
    throw new GrantError(
      'ERR_GRANTS_PROTOCOL',
      'the number of a request, or of its operation, is not an integer',
    )
  const max = largest[op]
  if (!max) throw new GrantError('ERR_GRANTS_PROTOCOL', `no operation has the number ${op}`)
  checkArgument(op, 0, a, max[0])
  checkArgument(op, 1, b, max[1])
  checkArgument(op, 2, c, max[2])
  checkArgument(op, 3, d, max[3])
  switch (op) {
    case Op.share:
      return new ShareRequest(session, id, {
        domid: a,
        pages: b,
        writable: (c & ShareFlag.writable) !== 0,
        wait: (c & ShareFlag.wait) !== 0,
        status: (c & ShareFlag.status) !== 0,
      })
    case Op.unshare: {
      const force = (b & UnshareFlag.force) !== 0
      return new UnshareRequest(session, id, a, force, (b & UnshareFlag.fireNotify) !== 0)
    }
    case Op.attach:
      return new GrantRequest(session, id, 'attach', a)
    case Op.detach:
      return new GrantRequest(session, id, 'detach', a)
    case Op.requestUnshare:
      return new GrantRequest(session, id, 'request-unshare', a)
    case Op.setUnmapNotify:
      return new NotifyRequest(session, id, a, b, c, d)
    case Op.cancel:
      return new CancelRequest(session, id, a)
    default:
      return new DomainExistsRequest(session, id, a)
  }
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
