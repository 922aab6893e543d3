import type { ErrorName } from './refusal.js'

/** Which daemon is imitated: xenstored, written in C, or oxenstored, in OCaml. */
export type Flavour = 'c' | 'ocaml'

/** What guests may have. `CONTROL quota set` changes them in xenstored. */
export interface Quotas {
  nodes: number
  watches: number
  transactions: number
  /** Nodes that one transaction may touch (xenstored), or requests in it (oxenstored). */
  transactionNodes: number
  /** Bytes of a node (xenstored), or of its value (oxenstored). */
  nodeSize: number
  /** Bytes of a path. */
  pathLength: number
  permissions: number
  /** Replies that a guest has not read before its requests wait. It is only told: here bytes are counted. */
  outstanding: number
  /** Bytes that wait for a guest before its events are lost. */
  memory: number
}

/** Where the two daemons differ. */
export interface Rules {
  readonly flavour: Flavour
  readonly quotas: Quotas
  /** What tells that the domain has too many nodes or transactions, and too many watches. */
  readonly tooMany: ErrorName
  readonly tooManyWatches: ErrorName
  /** What answers a request in a transaction that there is not. */
  readonly noTransaction: ErrorName
  /** Who may not see the parent of a node is not told whether it is there. */
  readonly hidesAbsence: boolean
  /** A guest owns what it creates; otherwise it belongs to the owner of its parent. */
  readonly creatorOwns: boolean
  /** Permissions are for domains that exist when they are set, and for no later ones with their numbers. */
  readonly knowsDomains: boolean
  /** The events of a request come before its reply. */
  readonly eventsFirst: boolean
  /** An event that has not been sent yet is not sent twice. */
  readonly mergesEvents: boolean
  /** Lists are in alphabetical order; otherwise in that of creation. */
  readonly sorts: boolean
}

const DEFAULTS: Quotas = {
  nodes: 1000,
  watches: 128,
  transactions: 10,
  transactionNodes: 1024,
  nodeSize: 2048,
  pathLength: 2048,
  permissions: 5,
  outstanding: 20,
  memory: 2.5 * 1024 * 1024,
}

export function rulesOf(flavour: Flavour): Rules {
  const isC = flavour === 'c'
  return {
    flavour,
    quotas: isC ? { ...DEFAULTS } : { ...DEFAULTS, watches: 100, pathLength: 1024 },
    tooMany: isC ? 'ENOSPC' : 'EQUOTA',
    tooManyWatches: isC ? 'E2BIG' : 'EQUOTA',
    noTransaction: isC ? 'ENOENT' : 'EIO',
    hidesAbsence: isC,
    creatorOwns: isC,
    knowsDomains: isC,
    eventsFirst: isC,
    mergesEvents: isC,
    sorts: !isC,
  }
}
