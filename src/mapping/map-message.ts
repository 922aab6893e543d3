import { PAGE_SIZE } from '../abi.js'
import { GrantError } from '../errors.js'
import {
  checkDomid,
  checkNotify,
  checkNumber,
  checkPort,
  checkReference,
  type MapNotify,
} from './message-numbers.js'

/** What is to be mapped. */
export interface MapRequest {
  /** Pairs of domid and reference. */
  names: Uint32Array
  writable: boolean
  notify: MapNotify | undefined
  /** Where the granter watches for our end, see `src/pages/peer-status.ts`. Port 0: no event. */
  status: { domid: number; ref: number; offset: number; port: number } | undefined
}

/**
 * The same on its way to the mapping worker, as the arguments of a call: {@link MapFlag} bits; with `notify` its three numbers; with
 * `status` its four; then the names, as numbers when they are few. An object takes longer to clone than a page to map.
 */
export type MapMessage = (number | Uint32Array)[]

export const MapFlag = { writable: 1, notify: 2, status: 4 } as const

/** To clone a typed array takes as long as so many numbers. */
const FEW = 16
const MOST_PAGES = 2 ** 20

export function encodeMap({ names, writable, notify, status }: MapRequest): MapMessage {
  const message: MapMessage = [
    (writable ? MapFlag.writable : 0) | (notify ? MapFlag.notify : 0) | (status ? MapFlag.status : 0),
  ]
  if (notify) message.push(notify.offset, notify.action, notify.port)
  if (status) message.push(status.domid, status.ref, status.offset, status.port)
  if (names.length > FEW) message.push(names)
  else for (let i = 0; i < names.length; i++) message.push(names[i]!)
  return message
}

/** Nothing of it is trusted. @throws GrantError ERR_GRANTS_PROTOCOL */
export function decodeMap(message: readonly unknown[]): MapRequest {
  let at = 0
  const next = (): unknown => message[at++]
  const flags = checkNumber('flags', next(), 0, MapFlag.writable | MapFlag.notify | MapFlag.status)
  const notify = (flags & MapFlag.notify) === 0 ? undefined : checkNotify(next(), next(), next())
  const status =
    (flags & MapFlag.status) === 0
      ? undefined
      : {
          domid: checkDomid(next()),
          ref: checkReference(next()),
          offset: checkNumber('offset', next(), 0, PAGE_SIZE - 2),
          port: checkPort(next()),
        }
  const names = decodeNames(message, at)
  if (notify && notify.offset >= (names.length / 2) * PAGE_SIZE)
    throw new GrantError('ERR_GRANTS_PROTOCOL', `byte ${notify.offset} is outside what is to be mapped`)
  return { names, writable: (flags & MapFlag.writable) !== 0, notify, status }
}

/** A copy: what is shared could change when it has been checked. */
function decodeNames(message: readonly unknown[], at: number): Uint32Array {
  const first = message[at]
  const given: ArrayLike<unknown> = first instanceof Uint32Array ? first : message.slice(at)
  const count = checkNumber('number of pages', given.length / 2, 1, MOST_PAGES)
  const names = new Uint32Array(2 * count)
  for (let i = 0; i < names.length; i += 2) {
    names[i] = checkDomid(given[i])
    names[i + 1] = checkReference(given[i + 1])
  }
  return names
}
