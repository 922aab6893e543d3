import { PAGE_SIZE } from '../../abi.js'
import type { GrantEntry } from './grant-table.js'
import type { Notification } from './unmap-notifications.js'

/** One MAP_GRANT_REF. */
export interface GrantMap {
  /** Its index in pages. */
  start: number
  readonly count: number
  /** Granter and reference, in turn. */
  readonly pairs: Uint32Array
  /** Whether it has been mapped, or tried to be: it is good for one time. */
  used: boolean
  writable: boolean
  /** What it maps, once it is mapped. */
  entries: readonly GrantEntry[] | undefined
  notification: Notification | undefined
  /** One for the file that lists it, one for its memory. */
  users: number
}

/** An open file of the mapping device. */
export class MapFile {
  readonly domid: number
  /** Ascending by `start`, without overlap. */
  readonly #maps: GrantMap[] = []
  /** Maps whose memory is mapped; they keep the file open. */
  mappings = 0
  closed = false

  constructor(domid: number) {
    this.domid = domid
  }

  /** Gives a map the lowest place the driver finds: a gap that it would fill exactly does not do. */
  add(pairs: Uint32Array): GrantMap {
    const count = pairs.length / 2
    let start = 0
    let position = 0
    for (const map of this.#maps) {
      if (start + count < map.start) break
      start = map.start + map.count
      position++
    }
    const map: GrantMap = {
      start,
      count,
      pairs,
      used: false,
      writable: false,
      entries: undefined,
      notification: undefined,
      users: 1,
    }
    this.#maps.splice(position, 0, map)
    return map
  }

  /** @param index in bytes. @returns the map that begins there and is as long */
  find(index: number, count: number): GrantMap | undefined {
    return this.#maps.find((map) => map.start * PAGE_SIZE === index && map.count === count)
  }

  /** @param index in bytes. @returns the map this byte is in */
  holding(index: number): GrantMap | undefined {
    const page = Math.floor(index / PAGE_SIZE)
    return this.#maps.find(({ start, count }) => start <= page && page < start + count)
  }

  remove(map: GrantMap): void {
    this.#maps.splice(this.#maps.indexOf(map), 1)
  }

  removeAll(): GrantMap[] {
    return this.#maps.splice(0)
  }
}
