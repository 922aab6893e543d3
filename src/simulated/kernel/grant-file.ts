import type { GrantEntry } from './grant-table.js'
import type { MappedPages } from './mapped-pages.js'
import type { Notification } from './unmap-notifications.js'

/** A page granted through gntalloc. */
export interface Gref {
  readonly entry: GrantEntry
  /** One for the file until DEALLOC or close, one for each mapping. */
  users: number
  notify: Notification | undefined
}

/** An open file of the grant device. */
export class GrantFile {
  readonly domid: number
  /** By byte offset. A page leaves with DEALLOC, though mappings may keep it granted. */
  readonly pages = new Map<number, Gref>()
  nextIndex = 0
  /** Mappings of it of which a piece is left. */
  mappings = 0
  closed = false

  constructor(domid: number) {
    this.domid = domid
  }
}

/** One mmap call. Its pages are let go together, when the last piece is unmapped. */
export interface GrantMapping {
  readonly file: GrantFile
  readonly grefs: readonly Gref[]
  readonly pages: MappedPages
}
