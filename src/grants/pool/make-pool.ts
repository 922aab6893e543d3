import { threadId } from 'node:worker_threads'
import type { Grant } from '../grant.js'
import type { GrantHandle } from '../handle.js'
import type { ShareOptions } from '../share-options.js'
import { GrantPool, type PoolEnd } from './grant-pool.js'
import { PoolControl } from './pool-control.js'
import { checkPool, checkPoolHandle, type GrantPoolHandle, type PoolOptions } from './pool-options.js'

/** Where its grants come from. */
export interface GrantSource {
  share(options: ShareOptions): Promise<Grant>
  attach(handle: GrantHandle): Promise<Grant>
}

/**
 * Makes a pool, or joins one that another thread has made.
 * @param opened is given what ends the pool together with its source
 */
export async function makePool(
  source: GrantSource,
  options: PoolOptions | GrantPoolHandle,
  opened: (end: PoolEnd) => () => void,
): Promise<GrantPool> {
  if ((options as Partial<GrantPoolHandle> | undefined)?.type === 'xen-grants.pool') {
    const { grants, control, scrub } = checkPoolHandle(options)
    const attached = await allOrNone(grants.map((handle) => source.attach(handle)))
    return new GrantPool(attached, new PoolControl(control, threadId), { scrub, opened })
  }
  const { grants: count, scrub, share } = checkPool(options)
  const shared = await allOrNone(Array.from({ length: count }, () => source.share(share)))
  return new GrantPool(shared, PoolControl.create(count), { scrub, opened })
}

/** When one fails, those that came are given back before the failure is passed on. */
async function allOrNone(grants: Promise<Grant>[]): Promise<Grant[]> {
  const settled = await Promise.allSettled(grants)
  const failed = settled.find((one) => one.status === 'rejected')
  const came = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  if (!failed) return came
  // What fails here is tried again when its client closes.
  await Promise.allSettled(came.map((grant) => grant.unshare()))
  throw failed.reason
}
