import { readFileSync } from 'node:fs'
import { PAGE_SIZE } from '../abi.js'
import { GrantError } from '../errors.js'
import {
  addressOf,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_NORESERVE,
  MAP_PRIVATE,
  type MmapRequest,
  mmap,
  moveMapping,
  munmap,
  PROT_READ,
  PROT_WRITE,
} from '../native/libc.js'

/**
 * Memory of V8's, whole pages of it, over which a device is mapped. V8 alone knows who still uses it (a view in whatever
 * thread, a job of libuv's), so V8 alone frees it, with the last reference. Until then the address belongs to nothing else:
 * zero pages take the place of the device's when those go, and nothing is ever unmapped.
 *
 * A thread that has mapped something over it keeps the buffer referenced until zero pages are in the place of that.
 */
export interface PageBuffer {
  readonly buffer: SharedArrayBuffer
  /** Of its first byte; a multiple of the page size. Not to leave this thread. */
  readonly address: number
}

/**
 * A growable SharedArrayBuffer, since V8 reserves address space of its own for one, in whole pages.
 *
 * @throws GrantError ENOMEM: no address space is left. ERR_GRANTS_UNSUPPORTED: another engine than Node's
 */
export function createPageBuffer(pages: number): PageBuffer {
  const length = pages * PAGE_SIZE
  const buffer = reserve(length)
  const address = addressOf(new Uint8Array(buffer, 0, length))
  if (address % PAGE_SIZE === 0 && buffer.byteLength === length) return { buffer, address }
  const what = `a growable SharedArrayBuffer of ${length} bytes is not made of whole pages here`
  throw new GrantError(
    'ERR_GRANTS_UNSUPPORTED',
    `${what}: this JavaScript engine cannot map devices over one`,
  )
}

function reserve(length: number): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(length, { maxByteLength: length })
  } catch (cause) {
    const what = `no address space for ${length} bytes: ulimit -v, or strict overcommit (vm.overcommit_memory 2)`
    throw new GrantError('ENOMEM', what, { errno: -12, syscall: 'mmap', pages: length / PAGE_SIZE, cause })
  }
}

/** Buffers with another thread's memory inside, see {@link mapOver}. */
const lost: SharedArrayBuffer[] = []

/**
 * Maps over a buffer, from its first byte on.
 *
 * An mmap that the driver refuses has already removed what was there, and a hole in V8's memory can become another
 * thread's memory, which V8 would free together with its own. So the hole is closed at once; should another thread have
 * been quicker, the buffer is never given back to V8.
 *
 * @throws GrantError with the buffer as it was
 */
export function mapOver({ buffer, address }: PageBuffer, request: Omit<MmapRequest, 'address'>): void {
  const { length, prot, flags, fd, offset, what } = request
  try {
    mmap({ address, length, prot, flags: flags | MAP_FIXED, fd, offset, what })
  } catch (error) {
    if (!closeHole(address, length) && !failedEarly(error)) lost.push(buffer)
    throw error
  }
}

/** @returns false when there was none, or another thread has filled it */
function closeHole(address: number, length: number): boolean {
  try {
    mmap(zeroPages(address, length, MAP_FIXED_NOREPLACE))
    return true
  } catch {
    return false
  }
}

/** What the kernel finds wrong before it asks the driver, it finds before it removes anything. */
function failedEarly(error: unknown): boolean {
  return !(error instanceof GrantError) || (error.code !== 'EINVAL' && error.code !== 'ENOENT')
}

const ZERO_FLAGS = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE

function zeroPages(address: number, length: number, flags: number): MmapRequest {
  const what = (): string => `putting zero pages over a mapping of ${length} bytes`
  return { address, length, prot: PROT_READ | PROT_WRITE, flags: ZERO_FLAGS | flags, fd: -1, offset: 0, what }
}

/**
 * Ends what is mapped there: private zero pages, which cost memory only when written, take its place. Stale views read
 * zeros from that moment on, and write to memory that is never read.
 *
 * @param address in one buffer, or the first of several that lie side by side
 * @throws GrantError, and can be tried again: the memory is still mapped, or belongs to nothing yet (see {@link holes})
 */
export function mapZeroPages(address: number, length: number): void {
  if (strictOvercommit()) {
    // Memory is counted only after the old mapping is gone, which would leave a hole: so it is got somewhere else first.
    const request = zeroPages(0, length, 0)
    const fresh = mmap(request)
    try {
      moveMapping(fresh, length, address, request.what)
    } catch (error) {
      munmap(fresh, length)
      throw error
    }
    return
  }
  if (!holes.has(address)) {
    try {
      mmap(zeroPages(address, length, MAP_FIXED))
      return
    } catch (error) {
      if (!(error instanceof GrantError && error.code === 'ENOMEM')) throw error
    }
    // As many mappings as the process may have (vm.max_map_count): the kernel adds none, not even in the place of
    // another. Taking one away is still allowed, and makes room.
    munmap(address, length)
    for (const page of pagesOf(address, length)) holes.add(page)
  }
  mmap(zeroPages(address, length, MAP_FIXED_NOREPLACE))
  for (const page of pagesOf(address, length)) holes.delete(page)
}

/**
 * Pages of buffers where nothing is mapped: another thread was quicker to use the room that was made. What is there by the next
 * time may be another thread's, so it is not replaced any more.
 */
const holes = new Set<number>()

function* pagesOf(address: number, length: number): Generator<number> {
  for (let page = address; page < address + length; page += PAGE_SIZE) yield page
}

/** The same for all of a buffer that a thread which has died had mapped something over. @throws GrantError */
export function unmapOrphan(buffer: SharedArrayBuffer): void {
  mapZeroPages(addressOf(new Uint8Array(buffer)), buffer.byteLength)
}

let strict: boolean | undefined

function strictOvercommit(): boolean {
  strict ??= readFileSync('/proc/sys/vm/overcommit_memory', 'utf8').trim() === '2'
  return strict
}
