import { threadId } from 'node:worker_threads'
import { actionsOf, type Grant } from '../grant.js'
import { GrantWork } from '../grant-work.js'
import type { GrantHandle } from '../handle.js'
import type { ShareOptions } from '../share-options.js'
import { GrantPool, type PoolEnd, type PoolSetup } from './grant-pool.js'
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
    return poolOf(attached, new PoolControl(control, threadId), { scrub, opened })
  }
  const { grants: count, scrub, share } = checkPool(options)
  const shared = await allOrNone(Array.from({ length: count }, () => source.share(share)))
  return poolOf(shared, PoolControl.create(count), { scrub, opened })
}

function poolOf(grants: Grant[], control: PoolControl, rest: Omit<PoolSetup, 'grants'>): GrantPool {
  const works = grants.map(actionsOf)
  if (!works.every((work) => work instanceof GrantWork)) throw new TypeError('a pool is made of grants')
  return new GrantPool(works, control, { grants, ...rest })
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
