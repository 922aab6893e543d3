import { GNTALLOC_FLAG_WRITABLE, PAGE_SIZE } from '../../abi.js'
import type { Allocation, GrantDevice } from '../../drivers/gntalloc/grant-device.js'
import { createPageBuffer } from '../../drivers/page-buffer.js'
import { GrantError } from '../../errors.js'
import { dropped } from '../../memory/dropped.js'
import { diagnoseEnospc, enospcError } from './enospc.js'
import type { GrantRecord, GrantRecords } from './grant-records.js'
import type { ShareRequest } from './request.js'

/**
 * Requests are merged up to this many pages. The saving is in the calls per request and is long used up by then, while
 * a larger allocation is more likely to fail as a whole.
 */
const MERGE_PAGES = 1024

type Failed = (request: ShareRequest, error: unknown) => void

/**
 * Turns admitted share requests into grants. Those for the same domain and access go out as one ALLOC, since the
 * driver's cost is per call and grows with every grant alive; each gets its own sub-range, its own mmap, its own life.
 */
export class Sharing {
  readonly #device: GrantDevice
  readonly #records: GrantRecords
  readonly #ownPages: () => number
  #nextIndex: number
  /** Pages allocated for a request that then failed, and that could not be given back at once. */
  #strays: { index: number; count: number }[] = []

  /** @param ownPages pages this server has allocated at the moment */
  constructor(device: GrantDevice, records: GrantRecords, nextIndex: number, ownPages: () => number) {
    this.#device = device
    this.#records = records
    this.#nextIndex = nextIndex
    this.#ownPages = ownPages
  }

  /** Answers every request that gets its pages. The others are left to `failed`. */
  share(requests: ShareRequest[], failed: Failed): void {
    this.retryStrays()
    if (requests.length === 1) {
      this.#single(requests[0]!, failed)
      return
    }
    for (const group of groups(requests)) {
      if (group.length === 1) {
        this.#single(group[0]!, failed)
        continue
      }
      const pages = group.reduce((sum, request) => sum + request.pages, 0)
      if (this.#allocate(group, pages, failed) === undefined) continue
      // Together they do not fit. No request may fail that would have succeeded alone, so each is tried alone, in order.
      // One at least as large as another that has just failed is not tried: with a full grant table every failed
      // ALLOC takes the driver's accounting one step nearer to its wedge.
      let smallestFailed: { pages: number; error: GrantError } | undefined
      for (const request of group) {
        if (smallestFailed && request.pages >= smallestFailed.pages) {
          failed(request, retold(smallestFailed.error, request))
          continue
        }
        this.#single(request, (_, error) => {
          if (error instanceof GrantError && error.code === 'ENOSPC')
            smallestFailed = { pages: request.pages, error }
          failed(request, error)
        })
      }
    }
  }

  #single(request: ShareRequest, failed: Failed): void {
    const error = this.#allocate([request], request.pages, failed)
    if (!error) return
    if (error.code !== 'ENOSPC') {
      this.#findIndex()
      failed(request, error)
      return
    }
    try {
      const verdict = diagnoseEnospc(this.#device, this.#nextIndex, request.pages, this.#ownPages())
      this.#nextIndex = verdict.nextIndex
      failed(request, enospcError(this.#device, verdict.reason, request.domid, request.pages, error))
    } catch {
      // The probe itself failed otherwise: the first error is the one to report.
      failed(request, error)
    }
  }

  /**
   * A shortage of memory is noticed after the range was reserved, or before: only the driver can tell. The next ENOSPC
   * would be taken for one of the grant table if the range were not known to be used up.
   */
  #findIndex(): void {
    try {
      this.#nextIndex = this.#device.allocate(0, 0, 0).index
    } catch {
      // There is nothing to go by, as before.
    }
  }

  /** One ALLOC for all of `group`. @returns the error when it failed, with no request answered */
  #allocate(group: ShareRequest[], pages: number, failed: Failed): GrantError | undefined {
    const { domid, writable } = group[0]!
    let allocation: Allocation
    try {
      allocation = this.#device.allocate(domid, writable ? GNTALLOC_FLAG_WRITABLE : 0, pages)
    } catch (error) {
      if (error instanceof GrantError) return error
      throw error
    }
    this.#nextIndex = allocation.index + pages * PAGE_SIZE
    let first = 0
    for (const request of group) {
      const index = allocation.index + first * PAGE_SIZE
      try {
        this.#map(request, index, allocation.refs, first, writable)
      } catch (error) {
        this.#undo(index, request.pages)
        failed(request, error)
      }
      first += request.pages
    }
    return undefined
  }

  #map(request: ShareRequest, index: number, refs: Uint32Array, first: number, writable: boolean): void {
    const { domid, pages, status, session } = request
    const memory = createPageBuffer(pages)
    this.#device.mmap(index, pages, memory)
    const id = this.#records.nextId()
    const facts = [id]
    for (let page = 0; page < pages; page++) facts.push(refs[first + page]!)
    const record: GrantRecord = {
      id,
      domid,
      pages,
      writable,
      status,
      index,
      memory,
      mapped: true,
      facts,
      owner: session,
      ownerHolds: false,
      others: undefined,
      armed: undefined,
      progress: undefined,
      staged: false,
      unsharing: undefined,
    }
    this.#records.add(record)
    request.complete(facts, memory.buffer)
  }

  /** Gives back pages that no request got. When even that fails they are remembered and tried again. */
  #undo(index: number, count: number): void {
    this.#strays.push({ index, count })
    this.retryStrays()
    dropped(count * PAGE_SIZE)
  }

  retryStrays(): void {
    if (this.#strays.length === 0) return
    const strays = this.#strays
    this.#strays = []
    for (const run of strays) {
      try {
        this.#device.deallocate(run.index, run.count)
      } catch {
        this.#strays.push(run)
      }
    }
  }
}

/** The same verdict for another request that was not tried. */
function retold(error: GrantError, { domid, pages }: ShareRequest): GrantError {
  const { errno, syscall, path, reason } = error
  return new GrantError(
    error.code,
    `cannot grant ${pages} pages to domain ${domid}: fewer did not fit. ${error.message}`,
    {
      ...(errno !== undefined && { errno }),
      ...(syscall !== undefined && { syscall }),
      ...(path !== undefined && { path }),
      ...(reason !== undefined && { reason }),
      domid,
      pages,
    },
  )
}

/** Same domain, same access, in order, up to MERGE_PAGES together. */
function groups(requests: ShareRequest[]): ShareRequest[][] {
  const open = new Map<number, { requests: ShareRequest[]; pages: number }>()
  const all: ShareRequest[][] = []
  for (const request of requests) {
    const key = request.domid * 2 + Number(request.writable)
    let group = open.get(key)
    if (!group || group.pages + request.pages > MERGE_PAGES) {
      group = { requests: [], pages: 0 }
      open.set(key, group)
      all.push(group.requests)
    }
    group.requests.push(request)
    group.pages += request.pages
  }
  return all
}
