import { threadId } from 'node:worker_threads'
import type { Grant } from '../grant.js'
import type { GrantHandle } from '../handle.js'
import type { ShareOptions } from '../share-options.js'
import {
  checkPool,
  checkPoolHandle,
  GrantPool,
  type GrantPoolHandle,
  type PoolOptions,
} from './grant-pool.js'
import { PoolControl } from './pool-control.js'

/** Where its grants come from. */
export interface GrantSource {
  share(options: ShareOptions): Promise<Grant>
  attach(handle: GrantHandle): Promise<Grant>
}

/** Makes a pool, or joins one that another thread has made. */
export async function makePool(
  client: GrantSource,
  options: PoolOptions | GrantPoolHandle,
): Promise<GrantPool> {
  if ((options as Partial<GrantPoolHandle> | undefined)?.type === 'xen-grants.pool') {
    const { grants, control, scrub } = checkPoolHandle(options)
    const attached = await allOrNone(grants.map((handle) => client.attach(handle)))
    return new GrantPool(attached, new PoolControl(control, threadId), scrub)
  }
  const { domid, pages, grants: count, writable, scrub, signal } = checkPool(options)
  const request: ShareOptions = { domid, pages, writable, ...(signal && { signal }) }
  const shared = await allOrNone(Array.from({ length: count }, () => client.share(request)))
  return new GrantPool(shared, PoolControl.create(count), scrub)
}

/** When one fails, those that came are given back before the failure is passed on. */
async function allOrNone(grants: Promise<Grant>[]): Promise<Grant[]> {
  const settled = await Promise.allSettled(grants)
  const failed = settled.find((one) => one.status === 'rejected')
  const came = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  if (!failed) return came
  await Promise.all(came.map((grant) => grant.unshare()))
  throw failed.reason
}
