import type { Counters } from '../wire/counters.js'
import type { Domain } from './domain.js'
import { GrantFile } from './grant-file.js'
import type { Session } from './session.js'

type KernelCounters = Omit<Counters, 'storeConnections' | 'storeWatches' | 'storeTransactions'>

/**
 * What is alive, apart from the xenstored.
 * @param asking a session that does not count
 * @param domid only files, mappings and sessions of this domain
 */
export function count(
  domains: Iterable<Domain>,
  sessions: Iterable<Session>,
  asking: Session | undefined,
  domid: number | undefined,
): KernelCounters {
  const counters: KernelCounters = {
    grants: 0,
    pages: 0,
    files: 0,
    mappings: 0,
    foreignMappings: 0,
    maps: 0,
    ports: 0,
    deferred: 0,
    tableUsed: 0,
    sessions: 0,
  }
  for (const { gntalloc, gntdev, channels, table } of domains) {
    counters.grants += gntalloc.grants
    counters.pages += gntalloc.pages
    counters.foreignMappings += gntdev.mappings
    counters.maps += gntdev.maps
    counters.ports += channels.bound
    counters.deferred += table.deferred
    counters.tableUsed += table.used
  }
  const counts = (file: { domid: number }) => domid === undefined || file.domid === domid
  for (const session of sessions) {
    for (const file of session.files.values()) if (counts(file)) counters.files++
    for (const { file } of session.mappings.values())
      if (file instanceof GrantFile && counts(file)) counters.mappings++
    if (session !== asking && (domid === undefined || session.belongsTo(domid))) counters.sessions++
  }
  return counters
}
