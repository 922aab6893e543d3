import {
  checkInteger,
  checkOptions,
  checkSignal,
  invalidArgType,
  MAX_TIMER,
  outOfRange,
} from '../arguments.js'
import { checkDomid, checkPath } from '../xenstore/paths.js'
import { MAX_ORDER } from './layout.js'
import type { DomainParts } from './vigil.js'

/** What is served, to whom, and where. */
export interface VchanServeOptions {
  /** The domain whose client may connect: 0 to 32751. */
  domid: number
  /**
   * Where in xenstore the keys are put: absolute, or relative to this domain's directory, by convention
   * `data/vchan/<domid>/<name>`. A guest may write below its own `data` only. Absolute, at most 49 bytes: libxenvchan cuts longer
   * ones and then finds other keys.
   */
  path: string
  /** Size of the ring that the client fills, in bytes: 1 to 1048576, made a power of two of at least 1024. Default 65536. */
  receiveBytes?: number | undefined
  /** The same for the ring that this end fills. Each 4096 bytes are a grant, and there is one more for both. */
  sendBytes?: number | undefined
  /** Ends the waiting for a client. A vchan that is connected is none of its business. */
  signal?: AbortSignal | undefined
}

/** Which vchan to connect to. */
export interface VchanConnectOptions {
  /** The domain that serves: 0 to 32751. */
  domid: number
  /** As the server's: relative to the directory of *its* domain, or absolute. */
  path: string
  /** How long to wait for the server, in milliseconds. 0: look once. Default: until `signal` aborts. */
  timeout?: number | undefined
  /** The largest ring that is mapped for a server, in bytes: 1024 to 1048576. Default 1048576. */
  maxRingBytes?: number | undefined
  signal?: AbortSignal | undefined
}

export interface CheckedServe {
  domid: number
  path: string
  receiveBytes: number
  sendBytes: number
  signal: AbortSignal | undefined
}

export interface CheckedConnect {
  domid: number
  path: string
  timeout: number | undefined
  maxOrder: number
  signal: AbortSignal | undefined
}

const MAX_BYTES = 2 ** MAX_ORDER
const DEFAULT_BYTES = 64 << 10
/** libxenvchan puts `<path>/event-channel` into 64 bytes. */
const MAX_PATH = 49

/** @throws TypeError, RangeError; the signal's reason */
export function checkServe(xen: unknown, options: unknown): CheckedServe {
  checkParts(xen)
  if (options === undefined) throw invalidArgType('options', 'an object with domid and path', options)
  const {
    domid,
    path,
    receiveBytes = DEFAULT_BYTES,
    sendBytes = DEFAULT_BYTES,
    signal,
  } = checkOptions<VchanServeOptions>('options', options, [
    'domid',
    'path',
    'receiveBytes',
    'sendBytes',
    'signal',
  ])
  checkDomid('options.domid', domid)
  checkPath(path)
  checkInteger('options.receiveBytes', receiveBytes, 1, MAX_BYTES)
  checkInteger('options.sendBytes', sendBytes, 1, MAX_BYTES)
  checkSignal('options.signal', signal)
  signal?.throwIfAborted()
  return { domid, path, receiveBytes, sendBytes, signal }
}

/** @throws TypeError, RangeError; the signal's reason */
export function checkConnect(xen: unknown, options: unknown): CheckedConnect {
  checkParts(xen)
  if (options === undefined) throw invalidArgType('options', 'an object with domid and path', options)
  const {
    domid,
    path,
    timeout,
    maxRingBytes = MAX_BYTES,
    signal,
  } = checkOptions<VchanConnectOptions>('options', options, [
    'domid',
    'path',
    'timeout',
    'maxRingBytes',
    'signal',
  ])
  checkDomid('options.domid', domid)
  checkPath(path)
  if (timeout !== undefined) checkInteger('options.timeout', timeout, 0, MAX_TIMER)
  checkInteger('options.maxRingBytes', maxRingBytes, 1024, MAX_BYTES)
  checkSignal('options.signal', signal)
  signal?.throwIfAborted()
  return { domid, path, timeout, maxOrder: Math.floor(Math.log2(maxRingBytes)), signal }
}

/**
 * The keys of what a domain serves, absolute as xenstored makes a relative path of that domain's own. @throws RangeError
 */
export function absolute(path: string, domid: number): string {
  const base = path.startsWith('/') ? path : `/local/domain/${domid}/${path}`
  if (base.length > MAX_PATH)
    throw outOfRange('options.path', `at most ${MAX_PATH} bytes with the directory of its domain`, base)
  return base
}

/** @throws TypeError */
export function checkParts(xen: unknown): asserts xen is DomainParts {
  const parts = xen as Partial<DomainParts> | null | undefined
  if (typeof parts?.grants !== 'function' || typeof parts.store !== 'function')
    throw invalidArgType('xen', 'a Xen, of Xen.open()', xen)
}
