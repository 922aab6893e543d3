import type { ServiceLine } from '../client/service-line.js'
import type { PagesContext } from '../pages/shared-pages.js'
import type { MapService } from '../protocol/messages.js'
import type { MappedGrant } from './mapped-grant.js'

/** What the mappings of one mapper share. */
export interface MappedContext extends PagesContext {
  readonly line: ServiceLine<MapService>
  readonly mapped: Set<MappedGrant>
}

/** What the mapping worker said of one. */
export interface MappedFacts {
  id: number
  address: number
  names: Uint32Array
  writable: boolean
}
