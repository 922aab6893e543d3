import type { UnmapNotifyOptions } from '../unmap-notify.js'
import type { FillerGrant } from './fill-messages.js'

/** The grant as a pooled worker sees it: plain facts, and calls that go straight to the device worker. */
export interface GrantProxy {
  readonly domid: number
  readonly pages: number
  /** One grant reference per page. */
  readonly refs: Uint32Array
  /** As `Grant.setUnmapNotify`. */
  setUnmapNotify(options: UnmapNotifyOptions): Promise<void>
  /**
   * Asks the thread that owns the grant to unshare it when everything that runs on it has finished. Resolves when the
   * request has been passed on: the run itself is one of the things that have to finish.
   */
  release(): Promise<void>
}

/** Such a proxy for as long as one task. */
export interface TaskGrant extends GrantProxy {
  /** The task is over: what it holds of the grant is given back. */
  end(): void
}

/** Makes them. Only those who can reach a device worker can, so the entry of the filler thread brings it. */
export type MakeTaskGrant = (grant: FillerGrant) => TaskGrant
