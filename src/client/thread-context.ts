import type { Grant } from '../grants/grant.js'
import type { PagesContext } from '../pages/shared-pages.js'
import type { Deferred } from '../peer/deferred.js'
import type { DomainExists } from '../peer/domain-exists.js'
import type { StatusBoard } from '../peer/status-board.js'
import type { Connection } from './connection.js'

/** What the grants of one thread share. */
export interface ThreadContext extends PagesContext {
  readonly connection: Connection
  /** Names the server in handles. */
  readonly server: string
  readonly deviceThread: number
  readonly serverThread: number
  /** Grants this thread has a lease of, by id. */
  readonly grants: Map<number, Grant>
  /** Memory of grants that came too late for who had asked for them. */
  readonly unclaimed: Set<SharedArrayBuffer>
  readonly board: StatusBoard
  readonly deferred: Deferred
  readonly domainExists: DomainExists
}
