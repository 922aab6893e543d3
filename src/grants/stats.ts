import type { FillStats } from '../fill/meter.js'
import type { DeviceStats } from './grant-messages.js'
import type { DeferredStats } from './peer/deferred-pages.js'

/** Numbers of the whole server, and of this thread's use of it. Times are in milliseconds. */
export interface ClientStats extends DeviceStats {
  /** Pages of this thread's grants that were taken back while their peer still mapped them. */
  deferred: DeferredStats
  /** From share() to its grant, in this thread. */
  shareLatency: { count: number; p50: number; p99: number; max: number }
  /** Fills of this thread. */
  fills: FillStats
}
