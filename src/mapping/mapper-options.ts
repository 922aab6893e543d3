import { checkBoolean, checkInteger, checkOptions, checkSignal, invalidArgType } from '../arguments.js'
import type { DeviceDescriptor } from '../drivers/descriptor.js'
import { mapDescriptor } from '../drivers/gntdev/map-device.js'
import type { EventChannels } from '../events/event-channels.js'
import type { FillerOptions } from '../fill/filler-options.js'
import { checkOffer, type GrantOffer } from '../pages/offer.js'
import { notifyArguments, type UnmapNotifyOptions } from '../unmap-notify.js'
import type { MapRequest } from './map-message.js'

/** Stands for a mapping device that is not a path: a SimulatedXen, or one of its domains. */
export interface MapDeviceStandIn {
  readonly [mapDescriptor]: DeviceDescriptor
}

/** How a mapping device is opened. */
export interface MapperOptions {
  /** Path of the device, or a SimulatedXen or one of its domains. Default '/dev/xen/gntdev'. */
  device?: string | MapDeviceStandIn | undefined
  /** The filler threads of this mapper's mappings; they start when first needed. */
  fillers?: FillerOptions | undefined
  /** Aborts the opening; once open it has no effect. */
  signal?: AbortSignal | undefined
}

/** What is mapped: `domid` and `refs`, `domid` and `offer`, or `grants`. */
export interface MapOptions {
  /** The domain whose grants `refs` are. Left out when `grants` names domains itself. */
  domid?: number | undefined
  /** References, in the order of the pages. The same one may occur more than once. */
  refs?: ArrayLike<number> | undefined
  /** References of several domains. */
  grants?: readonly { domid: number; ref: number }[]
  /** Default false. */
  writable?: boolean | undefined
  /** See `MappedGrant.setUnmapNotify`. */
  unmapNotify?: UnmapNotifyOptions | undefined
  /** What `grant.offer()` gave the granter: references, and where it watches for the end of this mapping. */
  offer?: GrantOffer | undefined
  /** With an offer that names an event channel: bound there, so that the granter is woken when this mapping ends. */
  events?: EventChannels | undefined
  signal?: AbortSignal | undefined
}

const known = ['domid', 'refs', 'grants', 'writable', 'unmapNotify', 'offer', 'events', 'signal'] as const

export interface CheckedMap {
  request: MapRequest
  /** The granter's port to bind to, of an offer. */
  port: number | undefined
  domid: number
  events: EventChannels | undefined
  signal: AbortSignal | undefined
}

export function checkMap(options: unknown): CheckedMap {
  if (options === undefined) throw invalidArgType('options', 'an object with domid and refs', options)
  const { domid, refs, grants, writable, unmapNotify, offer, events, signal } = checkOptions<MapOptions>(
    'options',
    options,
    known,
  )
  const offered = offer === undefined ? undefined : checkOffer('options.offer', offer)
  const names = grants ? namesOf(grants) : namesOfOne(domid, refs ?? offered?.refs)
  const write = writable ?? offered?.writable ?? false
  checkBoolean('options.writable', write)
  checkSignal('options.signal', signal)
  const notify = unmapNotify && notifyArguments(unmapNotify, names.length / 2)
  const owner = names[0]!
  const status = offered?.status && {
    domid: owner,
    ref: offered.status.ref,
    offset: offered.status.offset,
    port: 0,
  }
  return {
    request: { names, writable: write, notify, status },
    port: offered?.status?.port,
    domid: owner,
    events,
    signal,
  }
}

function namesOfOne(domid: unknown, refs: unknown): Uint32Array {
  checkInteger('options.domid', domid, 0, 0xffff)
  if (typeof refs !== 'object' || refs === null || !Number.isInteger((refs as ArrayLike<number>).length)) {
    throw invalidArgType('options.refs', 'an array of references', refs)
  }
  const names = emptyNames('options.refs', (refs as ArrayLike<number>).length)
  for (let i = 0; 2 * i < names.length; i++) {
    names[2 * i] = domid
    names[2 * i + 1] = checkReference((refs as ArrayLike<unknown>)[i], () => `options.refs[${i}]`)
  }
  return names
}

function namesOf(grants: readonly { domid: number; ref: number }[]): Uint32Array {
  if (!Array.isArray(grants)) throw invalidArgType('options.grants', 'an array', grants)
  const names = emptyNames('options.grants', grants.length)
  for (const [i, grant] of grants.entries()) {
    const { domid, ref } = grant as { domid: unknown; ref: unknown }
    checkInteger(`options.grants[${i}].domid`, domid, 0, 0xffff)
    names[2 * i] = domid
    names[2 * i + 1] = checkReference(ref, () => `options.grants[${i}].ref`)
  }
  return names
}

function emptyNames(name: string, count: number): Uint32Array {
  checkInteger(`${name}.length`, count, 1, 2 ** 20)
  return new Uint32Array(2 * count)
}

/** @param name put together only for who is to be told of it: a mapping may have thousands */
function checkReference(ref: unknown, name: () => string): number {
  // 0 is never granted: Xen keeps the first references for itself.
  if (Number.isInteger(ref) && (ref as number) >= 1 && (ref as number) <= MAX_REFERENCE) return ref as number
  checkInteger(name(), ref, 1, MAX_REFERENCE)
  return ref
}

const MAX_REFERENCE = 0xffff_ffff
