import { DOMID_FIRST_RESERVED } from '../abi.js'
import {
  checkBoolean,
  checkInteger,
  checkOptions,
  checkSignal,
  invalidArgType,
  outOfRange,
} from '../arguments.js'

/** What is granted, and to whom. */
export interface ShareOptions {
  /** The domain that may map the pages: 0 to 32751 (0x7FEF). */
  domid: number
  /** Pages of 4096 bytes: 1 to 1048576 (4 GiB). */
  pages: number
  /** Whether that domain may write. Default false. */
  writable?: boolean | undefined
  /** Wait for pages to come free instead of failing when a budget or the driver's limit is used up. Default false. */
  wait?: boolean | undefined
  signal?: AbortSignal | undefined
}

/** Largest grant: one view reaches no further on every supported Node. */
const MAX_PAGES = 2 ** 20

export interface CheckedShare {
  domid: number
  pages: number
  writable: boolean
  wait: boolean
  signal: AbortSignal | undefined
  /** A status page, see `ShareFlag`. */
  status: boolean
}

export function checkShare(options: unknown): CheckedShare {
  if (options === undefined) throw invalidArgType('options', 'an object with domid and pages', options)
  const {
    domid,
    pages,
    writable = false,
    wait = false,
    signal,
  } = checkOptions<ShareOptions>('options', options, ['domid', 'pages', 'writable', 'wait', 'signal'])
  checkInteger('options.domid', domid, 0, 0xffff)
  if (domid >= DOMID_FIRST_RESERVED) {
    const why = `below ${DOMID_FIRST_RESERVED} (0x7FF0): what is granted to a reserved domid can never be mapped`
    throw outOfRange('options.domid', why, domid)
  }
  checkInteger('options.pages', pages, 1, MAX_PAGES)
  checkBoolean('options.writable', writable)
  checkBoolean('options.wait', wait)
  checkSignal('options.signal', signal)
  return { domid, pages, writable, wait, signal, status: false }
}
