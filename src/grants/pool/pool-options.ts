import { checkBoolean, checkInteger, checkOptions, checkSignal, invalidArgType } from '../../arguments.js'
import type { GrantHandle } from '../handle.js'

/** What a pool consists of. All its grants are made at once, or none. */
export interface PoolOptions {
  /** The domain that may map the pages. */
  domid: number
  /** Pages of each grant. */
  pages: number
  /** How many grants. */
  grants: number
  /** Whether that domain may write. Default false. */
  writable?: boolean | undefined
  /** Zero a grant's pages when it is released. Default true. */
  scrub?: boolean | undefined
  /** Wait for pages to come free, as in `share()`. Default false. */
  wait?: boolean | undefined
  signal?: AbortSignal | undefined
}

/** How to wait for a grant of a pool. */
export interface AcquireOptions {
  signal?: AbortSignal | undefined
}

/** Names a pool to other threads of the process: plain data for postMessage. */
export interface GrantPoolHandle {
  readonly type: 'xen-grants.pool'
  readonly control: SharedArrayBuffer
  readonly grants: readonly GrantHandle[]
  readonly scrub: boolean
}

export function checkPool(options: unknown) {
  const known = ['domid', 'pages', 'grants', 'writable', 'scrub', 'wait', 'signal'] as const
  const {
    domid,
    pages,
    grants,
    writable = false,
    scrub = true,
    wait = false,
    signal,
  } = checkOptions<PoolOptions>('options', options, known)
  checkInteger('options.grants', grants, 1, 2 ** 20)
  checkBoolean('options.scrub', scrub)
  checkSignal('options.signal', signal)
  return { grants, scrub, share: { domid, pages, writable, wait, ...(signal && { signal }) } }
}

export function checkPoolHandle(value: unknown): GrantPoolHandle {
  const { type, control, grants, scrub } = (value ?? {}) as Partial<GrantPoolHandle>
  if (type !== 'xen-grants.pool' || !(control instanceof SharedArrayBuffer) || !Array.isArray(grants)) {
    throw invalidArgType('handle', 'what GrantPool.handle() returned', value)
  }
  checkBoolean('handle.scrub', scrub)
  return { type, control, grants, scrub }
}
