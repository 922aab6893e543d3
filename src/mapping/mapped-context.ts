import type { ServiceLine } from '../client/service-line.js'
import type { PagesContext } from '../pages/shared-pages.js'
import type { MapAnswer, MapService } from '../protocol/messages.js'
import type { MappedGrant } from './mapped-grant.js'

/** What the mappings of one mapper share. */
export interface MappedContext extends PagesContext {
  readonly line: ServiceLine<MapService>
  readonly mapped: Set<MappedGrant>
}

/** What is known of one: what the mapping worker said, and what was asked of it. */
export interface MappedFacts extends MapAnswer {
  names: Uint32Array
  writable: boolean
}
