import type { PagesContext } from '../pages/pages-work.js'
import type { Connection } from './device-connection.js'
import type { OpenGrants } from './open-grants.js'
import type { Deferred } from './peer/deferred-pages.js'
import type { DomainExists } from './peer/domain-exists.js'
import type { StatusPages } from './peer/status-pages.js'

/** What the grants of one thread share. */
export interface ClientContext extends PagesContext {
  readonly connection: Connection
  /** Names the server in handles. */
  readonly server: string
  readonly deviceThread: number
  readonly serverThread: number
  readonly grants: OpenGrants
  /** Memory of grants that came too late for who had asked for them. */
  readonly unclaimed: Set<SharedArrayBuffer>
  readonly statusPages: StatusPages
  readonly deferred: Deferred
  readonly domainExists: DomainExists
}
