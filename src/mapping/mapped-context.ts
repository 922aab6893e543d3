import type { GrantError } from '../errors.js'
import type { PagesContext } from '../pages/pages-work.js'
import type { ServiceLine } from '../threads/service-client.js'
import type { MapService } from './map-messages.js'
import type { OfferedPort } from './offered-ports.js'

/** What the mappings of one mapper share. */
export interface MappedContext extends PagesContext {
  readonly line: ServiceLine<MapService>
  readonly mapped: Set<OpenMapping>
}

/** A mapping, as far as the mapper needs it that closes or loses its worker. */
export interface OpenMapping {
  /** What zero pages have to be put over when the worker is dead, in this order. */
  readonly orphans: SharedArrayBuffer[]
  unmap(options?: { force?: boolean }): Promise<void>
  /** The worker is dead, or closed. */
  lost(error: GrantError): void
}

/** What is known of one: what the mapping worker said, and what was asked of it. */
export interface MappedFacts {
  id: number
  buffer: SharedArrayBuffer
  /** The status page's. */
  status: SharedArrayBuffer | undefined
  names: Uint32Array
  writable: boolean
  /** Notified when the mapping ends. */
  port: OfferedPort | undefined
}
