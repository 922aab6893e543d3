import { checkBoolean, checkInteger, checkOptions, checkString, invalidArgValue } from '../arguments.js'
import type { HostOptions } from './host/host.js'
import { RESERVED_ENTRIES } from './kernel/grant-table.js'

/** What a simulated Xen is like. The numbers hold for each of its domains. */
export interface SimulatedXenOptions {
  /** Directory to make, for programs that have to know it beforehand. Default: a new one in memory. */
  path?: string | undefined
  /** Pages that all files of a domain together may have, as its driver's `limit` parameter. Default: 1024. */
  limit?: number | undefined
  /** Entries of each domain's grant table, 8 of them reserved. Default: 32768. */
  tableCapacity?: number | undefined
  /** How long each device call blocks its thread, in milliseconds. Default: 0. */
  ioctlDelay?: number | undefined
  /** Imitate the driver's counting bug, by which it can wedge after a full grant table. Default: true. */
  driverBugs?: boolean | undefined
  /**
   * Imitate the mapping device of paravirtualised domains: unmapping the memory of a map lets go of its pages and clears the
   * byte of its notification, also while the map is not forgotten. Default: false, as in PVH and HVM domains.
   */
  paravirtualised?: boolean | undefined
  /**
   * Whose rules the xenstored follows: those of xenstored, written in C, or those of oxenstored, in OCaml, which XenServer
   * and XCP-ng use. Default: 'c'.
   */
  xenstored?: 'c' | 'ocaml' | undefined
  /** Deferred pages that each domain looks at per round; 0 means all. Default: 10. */
  freePerIteration?: number | undefined
  /** Milliseconds between these rounds. Default: 1000. */
  freeInterval?: number | undefined
}

export const MAX_DOMID = 0xffff
/** The driver's limit is a C int. */
export const MIN_LIMIT = -(2 ** 31)
export const MAX_LIMIT = 2 ** 31 - 1
/** The memory file has a page for each entry. */
const MAX_TABLE_CAPACITY = 2 ** 24
const MAX_MILLISECONDS = 2 ** 31 - 1

/** @throws TypeError, RangeError */
export function checkCreateOptions(
  options: SimulatedXenOptions,
): Omit<HostOptions, 'path'> & { path?: string } {
  const defaults = {
    limit: 1024,
    tableCapacity: 32768,
    ioctlDelay: 0,
    driverBugs: true,
    paravirtualised: false,
    xenstored: 'c' as 'c' | 'ocaml',
    freePerIteration: 10,
    freeInterval: 1000,
  }
  const known = Object.keys(defaults) as (keyof typeof defaults)[]
  checkOptions<SimulatedXenOptions>('options', options, ['path', ...known])
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const all: typeof defaults & { path?: string } = { ...defaults, ...given }
  if (all.path !== undefined) checkString('options.path', all.path)
  checkInteger('options.limit', all.limit, MIN_LIMIT, MAX_LIMIT)
  checkInteger('options.tableCapacity', all.tableCapacity, RESERVED_ENTRIES + 1, MAX_TABLE_CAPACITY)
  checkInteger('options.ioctlDelay', all.ioctlDelay, 0, MAX_MILLISECONDS)
  checkBoolean('options.driverBugs', all.driverBugs)
  checkBoolean('options.paravirtualised', all.paravirtualised)
  if (all.xenstored !== 'c' && all.xenstored !== 'ocaml')
    throw invalidArgValue('options.xenstored', "must be 'c' or 'ocaml'", all.xenstored)
  checkInteger('options.freePerIteration', all.freePerIteration, 0, MAX_LIMIT)
  checkInteger('options.freeInterval', all.freeInterval, 1, MAX_MILLISECONDS)
  return all
}
