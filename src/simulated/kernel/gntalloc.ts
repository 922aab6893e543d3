import { constants } from 'node:os'
import { GNTALLOC_FLAG_WRITABLE, PAGE_SIZE } from '../../abi.js'
import type { Allocation } from '../../drivers/gntalloc/grant-device.js'
import { systemCallError } from '../../errors.js'
import type { DomainState } from './domain-state.js'
import type { EventChannels } from './event-channels.js'
import type { FramePool, PageMemory } from './frames.js'
import { GrantFile, type GrantMapping, type Gref } from './grant-file.js'
import type { GrantEntry, GrantTable } from './grant-table.js'
import { MappedPages } from './mapped-pages.js'
import { clearsByte, dropNotification, makeNotification } from './unmap-notifications.js'

const { EINVAL, ENOENT, ENOMEM, ENOSPC } = constants.errno

/** More references than kmalloc gives an array for. */
const MAX_REFS_PER_CALL = 1024 * 1024

export interface GntallocOptions {
  /** Pages that all files of a domain together may have, when it starts. */
  limit: number
  /** Count wrongly after a late failure, as the driver does. */
  driverBugs: boolean
}

/** The gntalloc driver of Linux 6.1.192 in one domain, its order of checks included. Nothing here does any IO. */
export class GntallocDriver {
  readonly #domain: DomainState
  readonly #table: GrantTable
  readonly #channels: EventChannels
  readonly #memory: PageMemory
  readonly #frames: FramePool
  readonly #driverBugs: boolean
  /** The module parameter, a C int: negative ones act as huge. */
  limit: number
  /** The driver's `gref_size`, a C int: with its bugs it can become negative. */
  pages = 0
  /** Grants that still have a user. */
  grants = 0

  constructor(
    domain: DomainState,
    table: GrantTable,
    channels: EventChannels,
    { memory, frames }: { memory: PageMemory; frames: FramePool },
    options: GntallocOptions,
  ) {
    this.#domain = domain
    this.#table = table
    this.#channels = channels
    this.#memory = memory
    this.#frames = frames
    this.#driverBugs = options.driverBugs
    this.limit = options.limit
  }

  /** Entries of the grant table. */
  get capacity(): number {
    return this.#table.capacity
  }

  open(): GrantFile {
    return new GrantFile(this.#domain.domid)
  }

  /** @throws GrantError ENOSPC, ENOMEM */
  allocate(file: GrantFile, domid: number, flags: number, count: number): Allocation {
    const what = `allocating ${count} pages for domain ${domid}`
    const fail = (errno: number, why = '') =>
      systemCallError(errno, 'ioctl', `${what}${why}`, { domid, pages: count })
    // Both compared as unsigned: a counter below zero is above every limit, and nothing can be allocated any more.
    const limit = this.limit >>> 0
    const size = this.pages >>> 0
    if (count > limit) throw fail(ENOSPC)
    if (count > MAX_REFS_PER_CALL) throw fail(ENOMEM)
    if (size > limit || count > limit - size) throw fail(ENOSPC)
    const index = file.nextIndex
    file.nextIndex += count * PAGE_SIZE
    const fits = count <= this.#table.available
    const frames = fits ? this.#frames.allocate(count) : undefined
    if (frames === undefined) {
      // The driver takes back one page more than it had reserved.
      if (this.#driverBugs) this.pages = (this.pages - 1) | 0
      const { advice } = this.#frames
      throw fits ? fail(ENOMEM, advice && `: ${advice}`) : fail(ENOSPC)
    }
    const refs = new Uint32Array(count)
    const writable = (flags & GNTALLOC_FLAG_WRITABLE) !== 0
    for (const [page, frame] of frames.entries()) {
      const entry = this.#table.grant(domid, frame, writable)
      file.pages.set(index + page * PAGE_SIZE, { entry, users: 1, notify: undefined })
      refs[page] = entry.ref
    }
    this.pages += count
    this.grants += count
    return { index, refs }
  }

  /** @throws GrantError EINVAL */
  deallocate(file: GrantFile, index: number, count: number): void {
    const grefs = this.#find(file, index, count)
    if (grefs === undefined)
      throw systemCallError(EINVAL, 'ioctl', `deallocating ${count} pages at index ${index}`, {
        pages: count,
      })
    for (let page = 0; page < count; page++) file.pages.delete(index + page * PAGE_SIZE)
    this.#drop(grefs)
  }

  /** @throws GrantError ENOENT, EINVAL */
  setUnmapNotify(file: GrantFile, index: number, action: number, port: number): void {
    const offset = index % PAGE_SIZE
    const gref = file.pages.get(index - offset)
    if (gref === undefined)
      throw systemCallError(ENOENT, 'ioctl', `setting the unmap notification at index ${index}: no such page`)
    const notify = makeNotification(this.#channels, action, offset, port)
    dropNotification(this.#channels, gref.notify)
    gref.notify = notify
  }

  /** @throws GrantError EINVAL (unaligned or nothing to map), ENOENT */
  mmap(file: GrantFile, index: number, count: number): GrantMapping {
    const fail = (errno: number) => systemCallError(errno, 'mmap', `mapping ${count} pages at index ${index}`)
    if (index % PAGE_SIZE !== 0 || count < 1) throw fail(EINVAL)
    const grefs = this.#find(file, index, count)
    if (grefs === undefined) throw fail(ENOENT)
    for (const gref of grefs) gref.users++
    file.mappings++
    return { file, grefs, pages: new MappedPages(count) }
  }

  /** The last piece of a mapping has gone. */
  munmap({ file, grefs }: GrantMapping): void {
    this.#drop(grefs)
    file.mappings--
    this.#releaseUnused(file)
  }

  close(file: GrantFile): void {
    file.closed = true
    this.#releaseUnused(file)
  }

  /** A mapping keeps its file open, as in any Linux, and with it even the pages that nobody maps. */
  #releaseUnused(file: GrantFile): void {
    if (!file.closed || file.mappings > 0) return
    const grefs = [...file.pages.values()]
    file.pages.clear()
    this.#drop(grefs)
  }

  #find(file: GrantFile, index: number, count: number): Gref[] | undefined {
    const grefs: Gref[] = []
    for (let page = 0; page < count; page++) {
      const gref = file.pages.get(index + page * PAGE_SIZE)
      if (gref === undefined) return undefined
      grefs.push(gref)
    }
    return count > 0 ? grefs : undefined
  }

  /** Takes one user off each. The last one fires the notification, while the peer still has access, and ends it. */
  #drop(grefs: readonly Gref[]): void {
    const ended: GrantEntry[] = []
    for (const gref of grefs) {
      gref.users--
      if (gref.users > 0) continue
      this.#notify(gref)
      this.pages--
      this.grants--
      ended.push(gref.entry)
    }
    this.#table.end(ended)
  }

  #notify({ notify, entry }: Gref): void {
    if (this.#domain.running) {
      if (clearsByte(notify)) this.#memory.clearByte(entry.frame, notify.offset)
      notify?.port?.send()
    }
    dropNotification(this.#channels, notify)
  }
}
