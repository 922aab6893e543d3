import { constants } from 'node:os'
import { systemCallError } from '../errors.js'
import type { GrantEntry, GrantTable } from './grant-table.js'

const { EINVAL } = constants.errno

/** The driver's own limit for one request. */
const MAX_REFS_PER_MAP = 65536

/** One successful map request of a peer. */
export type ForeignMapping = readonly GrantEntry[]

/** The gntdev driver of the other domains, as far as mapping goes. */
export class GrantMapDriver {
  readonly #table: GrantTable
  readonly #granter: number
  /** Map requests that are alive. */
  mappings = 0

  constructor(table: GrantTable, granter: number) {
    this.#table = table
    this.#granter = granter
  }

  /**
   * All or nothing, and like the driver without a word on which reference was refused. A reference may occur twice.
   * @param pairs as in `struct ioctl_gntdev_grant_ref`: domid of the granter and reference, in turn
   * @throws GrantError EINVAL
   */
  map(mapper: number, pairs: Uint32Array, writable: boolean): ForeignMapping {
    const count = pairs.length / 2
    const what = `mapping ${count} grants${writable ? ' writable' : ''} in domain ${mapper}`
    if (!Number.isInteger(count) || count < 1 || count > MAX_REFS_PER_MAP)
      throw systemCallError(EINVAL, 'ioctl', `${what} (1 to ${MAX_REFS_PER_MAP} at once)`, { domid: mapper })
    const entries: GrantEntry[] = []
    for (let pair = 0; pair < pairs.length; pair += 2) {
      const known = pairs[pair] === this.#granter
      const entry = known ? this.#table.lookup(pairs[pair + 1]!, mapper, writable) : undefined
      if (entry === undefined) throw systemCallError(EINVAL, 'mmap', what, { domid: mapper, pages: count })
      entries.push(entry)
    }
    for (const entry of entries) entry.foreignMaps++
    this.mappings++
    return entries
  }

  unmap(mapping: ForeignMapping): void {
    for (const entry of mapping) entry.foreignMaps--
    this.mappings--
  }
}
