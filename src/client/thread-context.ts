import type { FillerPool } from '../fill/pool.js'
import type { Grant } from '../grants/grant.js'
import type { Connection } from './connection.js'

/** What the grants of one thread share. */
export interface ThreadContext {
  readonly connection: Connection
  readonly fillers: FillerPool
  readonly inPlaceBelow: number
  /** Loaded when the server opens, not when the package is imported: it needs the platform's C library. */
  readonly memory: typeof import('../memory/view.js')
  /** Names the server in handles. */
  readonly server: string
  readonly deviceThread: number
  /** Grants this thread has a lease of, by id. */
  readonly grants: Map<number, Grant>
  filled(bytes: number, milliseconds: number): void
}
