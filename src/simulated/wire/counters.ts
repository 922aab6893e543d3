/** What is alive on a simulated Xen, or in one of its domains. */
export interface Counters {
  /** Pages granted that are still in a file or mapped by their own domain. */
  grants: number
  /** The same as the driver counts it: with driverBugs each late failure takes one away. */
  pages: number
  /** Open files of all devices. */
  files: number
  /** mmap calls of the grant device of which a piece is left. */
  mappings: number
  /** Mappings of other domains' grants that are alive. */
  foreignMappings: number
  /** Maps recorded by the mapping device, or forgotten and still mapped. */
  maps: number
  /** Event channel ports that programs have bound, or that a notification keeps. Those of `bindPort` do not count. */
  ports: number
  /** Pages given back that a peer still maps, or that wait for the kernel to look at them again. */
  deferred: number
  /** Grant table entries taken, those of deferred pages included. */
  tableUsed: number
  /** Connections, apart from the one that asks. */
  sessions: number
  /** Connections to the xenstored, and what they have open. */
  storeConnections: number
  storeWatches: number
  storeTransactions: number
}
