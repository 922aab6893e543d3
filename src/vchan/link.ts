import { GrantError } from '../errors.js'
import type { EventChannel } from '../events/event-channel.js'
import { XenStoreError } from '../xenstore/store-error.js'
import type { VchanEnd } from './end.js'

/** A connected vchan and all that it holds. */
export interface Link {
  readonly domid: number
  /** Of its keys, absolute. */
  readonly path: string
  readonly end: VchanEnd
  readonly channel: EventChannel
  /** Whether its pages are still those that were shared or mapped. */
  readonly mapped: boolean
  /**
   * Tells the other end, and gives back everything. Once.
   * @param peerDead it cannot hold anything any more: its domain is gone
   */
  release(peerDead: boolean): Promise<void>
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
