import { GrantError } from '../errors.js'
import type { EventChannel } from '../events/event-channel.js'
import type { SharedPages } from '../pages/shared-pages.js'
import { XenStoreError } from '../xenstore/store-error.js'
import type { VchanEnd } from './end.js'
import type { Sign } from './sign.js'

/** A connected vchan and all that it holds. */
export interface Link {
  readonly domid: number
  /** Of its keys, absolute. */
  readonly path: string
  readonly end: VchanEnd
  readonly channel: EventChannel
  /** Why its pages are not those any more that were shared or mapped, if so. */
  readonly lost: Error | undefined
  /** What tells in a guest that the domain of the other end is gone, where Xen does not. */
  readonly sign?: Sign | undefined
  /**
   * Tells the other end, and gives back everything. Once.
   * @param peerDead it cannot hold anything any more: its domain is gone
   */
  release(peerDead: boolean): Promise<void>
}

/**
 * Why pages are not there any more: their device has been closed, or its worker has died. It is so before zero pages take
 * their place, which must not be taken for what the peer has written.
 */
export function lossOf(pages: SharedPages<{ readonly length: number }>): Error | undefined {
  if (pages.bytes.length > 0) return undefined
  try {
    pages.read({ start: 0, end: 0 })
    return undefined
  } catch (error) {
    return error as Error
  }
}

/** What has gone with its owner needs no giving back. */
const GONE = new Set(['ERR_GRANTS_CLOSED', 'ERR_GRANTS_WORKER_DIED', 'ERR_GRANTS_UNSHARED'])

/** Waits for all of it. @throws what one of them failed with */
export async function giveBack(...parts: (Promise<unknown> | undefined)[]): Promise<void> {
  for (const part of await Promise.allSettled(parts)) {
    if (part.status === 'fulfilled') continue
    const { reason } = part
    const known = reason instanceof GrantError || reason instanceof XenStoreError
    if (!known || !GONE.has(reason.code)) throw reason
  }
}

/**
 * For what has failed half way: waits for all of it and throws why that is. What fails here as well goes with its device.
 */
export async function undo(error: unknown, ...parts: (Promise<unknown> | undefined)[]): Promise<never> {
  await Promise.allSettled(parts)
  throw error
}
