import {
  checkBoolean,
  checkInteger,
  checkOptions,
  checkSignal,
  invalidArgType,
  invalidArgValue,
  MAX_TIMER,
} from '../arguments.js'
import { checkParts } from '../vchan/options.js'
import { checkDomid } from '../xenstore/paths.js'

/** What is served, and to whom. */
export interface ListenOptions {
  /**
   * Of the service: 1 to 12 of A-Z a-z 0-9 - _ @. A client of domain N finds it at `data/vchan/N/<name>` in this domain's
   * directory of xenstore, where programs on libxenvchan look as well. Up to 20 are possible where domids are short.
   */
  name: string
  /** Whose clients may connect: domids, 0 to 32751. More can be allowed later, with `service.allow()`. */
  domids: Iterable<number>
  /** Of each direction of each connection, in bytes: 1 to 1048576, made a power of two. Default 65536, which takes 33 grants. */
  window?: number | undefined
  /** More are closed at once, and 'drop' is emitted. Default: no limit. */
  maxConnections?: number | undefined
  /** A domain that has so many finds no offer until it closes one. Default 256. */
  maxConnectionsPerDomain?: number | undefined
  /** Closes the service, as `close()` does. */
  signal?: AbortSignal | undefined
}

/** Which service to connect to. */
export interface SocketConnectOptions {
  /** The domain that listens: 0 to 32751. */
  domid: number
  /** Of the service, as in `listen()`. */
  name: string
  /** How long to wait for the service, in milliseconds, 0 to 2^31-1. 0: look once. Default 10000; no limit with `reconnect`. */
  timeout?: number | undefined
  /** The largest window that is mapped for a service, in bytes per direction: 1024 to 1048576. Default 1048576. */
  maxWindow?: number | undefined
  signal?: AbortSignal | undefined
}

/** How to connect again and again. */
export interface ReconnectOptions extends SocketConnectOptions {
  /** A new stream whenever the service has come back. */
  reconnect: true
}

export interface CheckedListen {
  name: string
  domids: readonly number[]
  window: number
  maxConnections: number
  maxConnectionsPerDomain: number
  signal: AbortSignal | undefined
}

export interface CheckedSocketConnect {
  domid: number
  name: string
  timeout: number | undefined
  maxWindow: number
  reconnect: boolean
  signal: AbortSignal | undefined
}

const MAX_WINDOW = 1 << 20
const DEFAULT_WINDOW = 64 << 10
const DEFAULT_TIMEOUT = 10_000
const DEFAULT_PER_DOMAIN = 256
const NAME = /^[A-Za-z0-9\-_@]+$/

/** @throws TypeError, RangeError; the signal's reason */
export function checkListen(xen: unknown, options: unknown): CheckedListen {
  checkParts(xen)
  if (options === undefined) throw invalidArgType('options', 'an object with name and domids', options)
  const {
    name,
    domids,
    window = DEFAULT_WINDOW,
    maxConnections = Number.POSITIVE_INFINITY,
    maxConnectionsPerDomain = DEFAULT_PER_DOMAIN,
    signal,
  } = checkOptions<ListenOptions>('options', options, [
    'name',
    'domids',
    'window',
    'maxConnections',
    'maxConnectionsPerDomain',
    'signal',
  ])
  checkServiceName(name)
  const all = domidsOf(domids)
  checkInteger('options.window', window, 1, MAX_WINDOW)
  checkLimit('options.maxConnections', maxConnections)
  checkLimit('options.maxConnectionsPerDomain', maxConnectionsPerDomain)
  checkSignal('options.signal', signal)
  return { name, domids: all, window, maxConnections, maxConnectionsPerDomain, signal }
}

/** @throws TypeError, RangeError; the signal's reason */
export function checkSocketConnect(xen: unknown, options: unknown): CheckedSocketConnect {
  checkParts(xen)
  if (options === undefined) throw invalidArgType('options', 'an object with domid and name', options)
  const {
    domid,
    name,
    reconnect = false,
    timeout = reconnect ? undefined : DEFAULT_TIMEOUT,
    maxWindow = MAX_WINDOW,
    signal,
  } = checkOptions<SocketConnectOptions & { reconnect?: boolean }>('options', options, [
    'domid',
    'name',
    'timeout',
    'maxWindow',
    'reconnect',
    'signal',
  ])
  checkDomid('options.domid', domid)
  checkServiceName(name)
  checkBoolean('options.reconnect', reconnect)
  if (timeout !== undefined) checkInteger('options.timeout', timeout, 0, MAX_TIMER)
  checkInteger('options.maxWindow', maxWindow, 1024, MAX_WINDOW)
  checkSignal('options.signal', signal)
  return { domid, name, timeout, maxWindow, reconnect, signal }
}

/** @throws RangeError, TypeError */
export function checkLimit(name: string, value: unknown): asserts value is number {
  if (value !== Number.POSITIVE_INFINITY) checkInteger(name, value, 1)
}

/** Where clients of a domain find a service, below the directory of the domain that listens. */
export function pathOf(name: string, client: number): string {
  return `data/vchan/${client}/${name}`
}

function checkServiceName(name: unknown): asserts name is string {
  if (typeof name !== 'string') throw invalidArgType('options.name', 'of type string', name)
  if (!NAME.test(name)) throw invalidArgValue('options.name', 'must consist of A-Z a-z 0-9 - _ @', name)
}

function domidsOf(domids: unknown): number[] {
  const list = domids as Iterable<unknown> | null | undefined
  if (typeof list === 'string' || typeof list?.[Symbol.iterator] !== 'function')
    throw invalidArgType('options.domids', 'an iterable of domids', domids)
  const all = [...new Set(list)]
  return all.map((domid) => {
    checkDomid('options.domids', domid)
    return domid
  })
}
