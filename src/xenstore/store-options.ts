import { checkInteger, checkOptions, checkSignal, invalidArgType, MAX_TIMER } from '../arguments.js'
import type { StoreDescriptor, storeDescriptor } from '../drivers/xenbus/store-device.js'

/** Stands for the xenstore of a domain that is not this machine's: a SimulatedXen, or one of its domains. */
export interface StoreStandIn {
  readonly [storeDescriptor]: StoreDescriptor
}

/** Which xenstore is opened, and how patient this end is. */
export interface XenStoreOptions {
  /**
   * The Unix socket of xenstored, a device like '/dev/xen/xenbus', or a SimulatedXen or one of its domains. Default, as of
   * libxenstore: the file named by the environment variable XENSTORED_PATH; without it the socket
   * `$XENSTORED_RUNDIR/socket` (/run/xenstored/socket), and if that cannot be used /dev/xen/xenbus.
   */
  path?: string | StoreStandIn | undefined
  /** Aborts the opening; once open it has no effect. */
  signal?: AbortSignal | undefined
  /**
   * Milliseconds xenstored has to answer a request; when it has not, the connection is given up and everything pending
   * rejects with ETIMEDOUT. It may take half as long again. 0: no limit. Default: 30 000.
   */
  timeout?: number | undefined
  /**
   * Requests that are sent before the first of them has been answered; the others wait, transactions taking turns. Default: 64.
   * On the kernel's device it is always 1: Linux mixes up requests of one file that it has at the same time.
   */
  window?: number | undefined
  /**
   * Transactions open at once; others wait. xenstored allows a guest 10 (by default), of all its programs together.
   * Default: 4.
   */
  maxTransactions?: number | undefined
}

export interface CheckedOptions {
  path: string | StoreStandIn | undefined
  signal: AbortSignal | undefined
  timeout: number
  window: number
  maxTransactions: number
}

/** @throws TypeError, RangeError; the signal's reason */
export function checkStoreOptions(options: unknown): CheckedOptions {
  const {
    path,
    signal,
    timeout = 30_000,
    window = 64,
    maxTransactions = 4,
  } = checkOptions<XenStoreOptions>('options', options, [
    'path',
    'signal',
    'timeout',
    'window',
    'maxTransactions',
  ])
  if (path === '' || (typeof path === 'string' && path.includes('\0')))
    throw invalidArgType('options.path', 'a path', path)
  checkInteger('options.timeout', timeout, 0, MAX_TIMER)
  checkInteger('options.window', window, 1, 1024)
  checkInteger('options.maxTransactions', maxTransactions, 1, 1024)
  checkSignal('options.signal', signal)
  return { path, signal, timeout, window, maxTransactions }
}
