import { constants } from 'node:os'
import { PAGE_SIZE } from '../../abi.js'
import { type GrantError, systemCallError } from '../../errors.js'
import type { DomainState } from './domain-state.js'
import type { EventChannels } from './event-channels.js'
import type { PageMemory } from './frames.js'
import type { GrantEntry, TableDirectory } from './grant-table.js'
import { type GrantMap, MapFile } from './map-file.js'
import { MappedPages } from './mapped-pages.js'
import { clearsByte, dropNotification, makeNotification } from './unmap-notifications.js'

const { EINVAL, ENOENT } = constants.errno

/** The driver's own limit for one request. */
export const MAX_GRANTS_PER_MAP = 65536

/** Grants mapped by a domain, each page of them. */
export type ForeignMapping = readonly GrantEntry[]

/** The mmap of a map; its pages are let go together, when the last piece is unmapped and the map is forgotten. */
export interface MapMapping {
  readonly map: GrantMap
  readonly pages: MappedPages
}

/**
 * The gntdev driver of Linux 6.1 in one domain, its order of checks included, and what Xen checks. In a paravirtualised domain memory is let
 * go when it is unmapped; in others when its map is forgotten too.
 */
export class GntdevDriver {
  readonly #domain: DomainState
  readonly #granters: TableDirectory
  readonly #channels: EventChannels
  readonly #memory: PageMemory
  readonly #paravirtualised: boolean
  /** Mappings that are alive. */
  mappings = 0
  /** Maps that are recorded, or forgotten and still mapped. */
  maps = 0

  constructor(
    domain: DomainState,
    granters: TableDirectory,
    channels: EventChannels,
    memory: PageMemory,
    paravirtualised: boolean,
  ) {
    this.#domain = domain
    this.#granters = granters
    this.#channels = channels
    this.#memory = memory
    this.#paravirtualised = paravirtualised
  }

  open(): MapFile {
    return new MapFile(this.#domain.domid)
  }

  /** @param pairs as in `struct ioctl_gntdev_grant_ref`. @returns the index. @throws GrantError EINVAL */
  map(file: MapFile, pairs: Uint32Array): number {
    checkCount(pairs, `recording ${pairs.length / 2} grants to map`, file.domid)
    this.maps++
    return file.add(pairs).start * PAGE_SIZE
  }

  /** All or nothing, once, without a word on which reference was refused. @throws GrantError EINVAL */
  mmap(file: MapFile, index: number, count: number, writable: boolean): MapMapping {
    const what = `mapping ${count} grants${writable ? ' writable' : ''} at index ${index}`
    const fail = (why: string) => failure(EINVAL, 'mmap', what + why, file.domid, count)
    const map = file.find(index, count)
    if (map === undefined) throw fail(': no such map')
    if (map.used) throw fail(': a map can be mapped once only')
    if (clearsByte(map.notification)) throw fail(': its notification is to clear a byte: arm it afterwards')
    map.used = true
    map.writable = writable
    const entries = this.#pin(map.pairs, writable)
    if (entries === undefined) throw fail('')
    map.entries = entries
    map.users++
    file.mappings++
    return { map, pages: new MappedPages(count) }
  }

  /** The last piece of a mapping has gone. */
  munmap(file: MapFile, { map }: MapMapping): void {
    if (this.#paravirtualised) this.#letGo(map)
    this.#put(map)
    file.mappings--
    if (file.closed) this.#release(file)
  }

  /** @throws GrantError ENOENT */
  unmap(file: MapFile, index: number, count: number): void {
    const map = file.find(index, count)
    if (map === undefined)
      throw failure(ENOENT, 'ioctl', `forgetting the map at index ${index}`, file.domid, count)
    file.remove(map)
    this.#put(map)
  }

  /** @throws GrantError EINVAL, ENOENT, EINVAL */
  setUnmapNotify(file: MapFile, index: number, action: number, port: number): void {
    const map = file.holding(index)
    const offset = map === undefined ? 0 : index - map.start * PAGE_SIZE
    const notification = makeNotification(this.#channels, action, offset, port)
    let refused: GrantError | undefined
    if (map === undefined)
      refused = failure(ENOENT, 'ioctl', `setting an unmap notification at index ${index}: no such map`)
    else if (clearsByte(notification) && map.used && !map.writable)
      refused = failure(EINVAL, 'ioctl', `setting an unmap notification: index ${index} is mapped read-only`)
    dropNotification(this.#channels, refused ? notification : map?.notification)
    if (refused) throw refused
    map!.notification = notification
  }

  /** Maps stay as long as anything of the file is mapped: mappings keep it open. */
  close(file: MapFile): void {
    file.closed = true
    this.#release(file)
  }

  /** A peer maps, without a file of its own. See `map` and `mmap`. @throws GrantError EINVAL */
  mapDirectly(pairs: Uint32Array, writable: boolean): ForeignMapping {
    const mapper = this.#domain.domid
    const count = pairs.length / 2
    const what = `mapping ${count} grants${writable ? ' writable' : ''} in domain ${mapper}`
    checkCount(pairs, what, mapper)
    const entries = this.#pin(pairs, writable)
    if (entries === undefined) throw failure(EINVAL, 'mmap', what, mapper, count)
    return entries
  }

  /** An empty one went with its domain. */
  unmapDirectly(mapping: ForeignMapping): void {
    if (mapping.length > 0) this.#unpin(mapping)
  }

  #release(file: MapFile): void {
    if (file.mappings > 0) return
    for (const map of file.removeAll()) this.#put(map)
  }

  /** One user fewer. After the last the granter's pages are let go: byte first, then event. */
  #put(map: GrantMap): void {
    map.users--
    if (map.users > 0) return
    this.maps--
    this.#letGo(map)
    const { notification } = map
    if (this.#domain.running) notification?.port?.send()
    dropNotification(this.#channels, notification)
  }

  #letGo(map: GrantMap): void {
    const { entries, notification } = map
    if (entries === undefined) return
    map.entries = undefined
    if (this.#domain.running && clearsByte(notification)) {
      const { frame } = entries[Math.floor(notification.offset / PAGE_SIZE)]!
      this.#memory.clearByte(frame, notification.offset % PAGE_SIZE)
    }
    this.#unpin(entries)
  }

  #pin(pairs: Uint32Array, writable: boolean): GrantEntry[] | undefined {
    const entries: GrantEntry[] = []
    for (let pair = 0; pair < pairs.length; pair += 2) {
      const table = this.#granters.tableOf(pairs[pair]!)
      const entry = table?.lookup(pairs[pair + 1]!, this.#domain.domid, writable)
      if (entry === undefined) return undefined
      entries.push(entry)
    }
    for (const entry of entries) entry.foreignMaps++
    this.mappings++
    return entries
  }

  #unpin(entries: readonly GrantEntry[]): void {
    for (const entry of entries) entry.table.unmapped(entry)
    this.mappings--
  }
}

function checkCount(pairs: Uint32Array, what: string, domid: number): void {
  const count = pairs.length / 2
  if (Number.isInteger(count) && count >= 1 && count <= MAX_GRANTS_PER_MAP) return
  throw failure(EINVAL, 'ioctl', `${what} (1 to ${MAX_GRANTS_PER_MAP} at once)`, domid)
}

function failure(errno: number, syscall: string, what: string, domid?: number, pages?: number): GrantError {
  const fields = { ...(domid !== undefined && { domid }), ...(pages !== undefined && { pages }) }
  return systemCallError(errno, syscall, what, fields)
}
