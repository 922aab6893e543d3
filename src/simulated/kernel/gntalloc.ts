import { constants } from 'node:os'
import { GNTALLOC_FLAG_WRITABLE, PAGE_SIZE } from '../../abi.js'
import type { Allocation } from '../../drivers/gntalloc/grant-device.js'
import { systemCallError } from '../../errors.js'
import { FrameAllocator, type PageMemory } from './frames.js'
import type { GrantEntry, GrantTable } from './grant-table.js'
import { MappedPages } from './mapped-pages.js'
import { clearsByte, dropNotification, makeNotification, type Notification } from './notifications.js'
import type { EventChannels } from './ports.js'

const { EINVAL, ENOENT, ENOMEM, ENOSPC } = constants.errno

/** More references than kmalloc gives an array for. */
const MAX_REFS_PER_CALL = 1024 * 1024

interface Gref {
  readonly entry: GrantEntry
  /** One for the file until DEALLOC or close, one for each mapping. */
  users: number
  notify: Notification | undefined
}

/** An open file of the grant device. */
export class GrantFile {
  /** By byte offset. A page leaves with DEALLOC, though mappings may keep it granted. */
  readonly pages = new Map<number, Gref>()
  nextIndex = 0
  /** Mappings of it of which a piece is left. */
  mappings = 0
  closed = false
}

/** One mmap call. Its pages are let go together, when the last piece is unmapped. */
export interface Mapping {
  readonly file: GrantFile
  readonly grefs: readonly Gref[]
  readonly pages: MappedPages
}

export interface DriverOptions {
  limit: number
  /** Count wrongly after a late failure, as the driver does. */
  driverBugs: boolean
}

/** The gntalloc driver of Linux 6.1.192, its order of checks included. Nothing here does any IO. */
export class GrantAllocDriver {
  readonly #table: GrantTable
  readonly #channels: EventChannels
  readonly #granter: number
  readonly #memory: PageMemory
  readonly #frames: FrameAllocator
  readonly #driverBugs: boolean
  /** The module parameter, a C int: negative ones act as huge. */
  limit: number
  /** The driver's `gref_size`, a C int: with its bugs it can become negative. */
  pages = 0
  /** Grants that still have a user. */
  grants = 0

  /** @param granter the domain it runs in */
  constructor(
    table: GrantTable,
    granter: number,
    channels: EventChannels,
    memory: PageMemory,
    options: DriverOptions,
  ) {
    this.#table = table
    this.#granter = granter
    this.#channels = channels
    this.#memory = memory
    this.#frames = new FrameAllocator(table.capacity, memory)
    this.#driverBugs = options.driverBugs
    this.limit = options.limit
  }

  open(): GrantFile {
    return new GrantFile()
  }

  /** @throws GrantError ENOSPC, ENOMEM */
  allocate(file: GrantFile, domid: number, flags: number, count: number): Allocation {
    const fail = (errno: number) =>
      systemCallError(errno, 'ioctl', `allocating ${count} pages for domain ${domid}`, {
        domid,
        pages: count,
      })
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
      throw fail(fits ? ENOMEM : ENOSPC)
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
    const notify = makeNotification(this.#channels, this.#granter, action, offset, port)
    dropNotification(this.#channels, gref.notify)
    gref.notify = notify
  }

  /** @throws GrantError EINVAL (unaligned or nothing to map), ENOENT */
  mmap(file: GrantFile, index: number, count: number): Mapping {
    const fail = (errno: number) => systemCallError(errno, 'mmap', `mapping ${count} pages at index ${index}`)
    if (index % PAGE_SIZE !== 0 || count < 1) throw fail(EINVAL)
    const grefs = this.#find(file, index, count)
    if (grefs === undefined) throw fail(ENOENT)
    for (const gref of grefs) gref.users++
    file.mappings++
    return { file, grefs, pages: new MappedPages(count) }
  }

  /** The last piece of a mapping has gone. */
  munmap({ file, grefs }: Mapping): void {
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

  /** One round over the deferred pages, see GrantTable.retry. @returns how many were freed */
  retryDeferred(budget: number): number {
    const frames = this.#table.retry(budget)
    this.#frames.release(frames)
    return frames.length
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
    const freed: number[] = []
    for (const gref of grefs) {
      gref.users--
      if (gref.users > 0) continue
      this.#notify(gref)
      this.pages--
      this.grants--
      if (this.#table.end(gref.entry)) freed.push(gref.entry.frame)
    }
    this.#frames.release(freed)
  }

  #notify({ notify, entry }: Gref): void {
    if (clearsByte(notify)) this.#memory.clearByte(entry.frame, notify.offset)
    notify?.port?.send()
    dropNotification(this.#channels, notify)
  }
}
