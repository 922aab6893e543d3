import type { Counters } from 'xen-grants/simulated'

/** What a simulated Xen counts when everybody has cleaned up. */
export const ZERO: Counters = {
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
  storeConnections: 0,
  storeWatches: 0,
  storeTransactions: 0,
}
