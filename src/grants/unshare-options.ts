import { checkBoolean, checkInteger, checkOptions, checkSignal } from '../arguments.js'

/** How pages are taken back. `timeout` without `whenReleased` has no effect. */
export interface UnshareOptions {
  /** Wait for no thread; see `Grant.unshare`. Default false. */
  force?: boolean | undefined
  /** Let armed unmap notifications fire, as they would in a crash. Default false: they are disarmed first. */
  fireNotify?: boolean | undefined
  /** Wait first until the peer has unmapped the pages, which have been offered to it: see `Grant.offer`. Default false. */
  whenReleased?: boolean | undefined
  /** How long to wait for that, in milliseconds. Default 10000. */
  timeout?: number | undefined
  signal?: AbortSignal | undefined
}

export const DEFAULT_RELEASE_TIMEOUT = 10_000

export function checkUnshare(options: unknown): UnshareOptions {
  const known = ['force', 'fireNotify', 'whenReleased', 'timeout', 'signal'] as const
  const checked = checkOptions<UnshareOptions>('options', options, known)
  for (const name of ['force', 'fireNotify', 'whenReleased'] as const) {
    if (checked[name] !== undefined) checkBoolean(`options.${name}`, checked[name])
  }
  if (checked.timeout !== undefined) checkInteger('options.timeout', checked.timeout, 0, 0x7fff_ffff)
  checkSignal('options.signal', checked.signal)
  return checked
}
