import koffi from 'koffi'
import { systemCallError } from '../errors.js'

/**
 * The C library, through koffi: synchronous calls only. Each declaration exists once per thread, since koffi never
 * frees one. errno is the thread's own and is read on the statement after the call; anything in between may change it.
 *
 * Only linux on 64-bit little-endian machines: constants below are those of x86-64 and arm64.
 */
const libc = koffi.load(null)

const mmapCall = libc.func(
  'void *mmap(void *addr, size_t length, int prot, int flags, int fd, int64_t offset)',
)
const munmapCall = libc.func('int munmap(void *addr, size_t length)')
const mremapCall = libc.func(
  'void *mremap(void *old, size_t length, size_t newLength, int flags, void *address)',
)
const sysconfCall = libc.func('long sysconf(int name)')
const ioctlCall = libc.func('int ioctl(int fd, unsigned long request, void *arg)')
const pipe2Call = libc.func('int pipe2(void *fds, int flags)')
const dup3Call = libc.func('int dup3(int from, int to, int flags)')
const closeCall = libc.func('int close(int fd)')

export const PROT_READ = 1
export const PROT_WRITE = 2
export const MAP_SHARED = 1
export const MAP_PRIVATE = 2
export const MAP_FIXED = 0x10
export const MAP_ANONYMOUS = 0x20
export const MAP_NORESERVE = 0x4000
export const MAP_FIXED_NOREPLACE = 0x10_0000
export const MAP_POPULATE = 0x8000

const MREMAP_MAYMOVE = 1
const MREMAP_FIXED = 2

const O_CLOEXEC = 0o2000000

const MAP_FAILED = 0xffff_ffff_ffff_ffffn

export interface MmapRequest {
  /** Where to map: 0 lets the kernel choose, anything else needs MAP_FIXED in `flags`. */
  address?: number
  length: number
  prot: number
  flags: number
  fd?: number
  offset?: number
  /** What is being mapped, for the message of a failure. */
  what: string
}

/** mmap(2). @returns the address as a number: user space ends below 2^47. @throws GrantError */
export function mmap({ address = 0, length, prot, flags, fd = -1, offset = 0, what }: MmapRequest): number {
  const result: bigint | null = mmapCall(address, length, prot, flags, fd, offset)
  const errno = koffi.errno()
  if (result === null || result === MAP_FAILED) throw systemCallError(errno, 'mmap', what)
  return Number(result)
}

/** munmap(2). @throws GrantError */
export function munmap(address: number, length: number): void {
  const result: number = munmapCall(address, length)
  const errno = koffi.errno()
  if (result !== 0)
    throw systemCallError(errno, 'munmap', `unmapping ${length} bytes at 0x${address.toString(16)}`)
}

/**
 * ioctl(2) with a buffer as its argument.
 * @returns the result, or the negative errno: the caller knows what was being done and words the error
 */
export function ioctl(fd: number, request: number, argument: Uint8Array): number {
  const result: number = ioctlCall(fd, request, argument)
  const errno = koffi.errno()
  return result < 0 ? -errno : result
}

/**
 * The reading end of a pipe that is never written to. Node does not know the descriptor: give it to something that owns it.
 * @throws GrantError
 */
export function readingPipe(): number {
  const ends = new Int32Array(2)
  const result: number = pipe2Call(ends, O_CLOEXEC)
  const errno = koffi.errno()
  if (result < 0) throw systemCallError(errno, 'pipe2', 'making a pipe')
  closeCall(ends[1])
  return ends[0]!
}

/** Makes `to` another descriptor of the open file of `from`, in the place of what it was. @throws GrantError */
export function replaceDescriptor(from: number, to: number): void {
  const result: number = dup3Call(from, to, O_CLOEXEC)
  const errno = koffi.errno()
  if (result < 0) throw systemCallError(errno, 'dup3', `making descriptor ${to} the same as ${from}`)
}

/** Bytes in a page of this kernel's. */
export function pageSize(): number {
  return Number(sysconfCall(30 /* _SC_PAGESIZE */))
}

/** Moves a mapping to `to`, in the place of whatever is mapped there. @throws GrantError, with the first where it was */
export function moveMapping(from: number, length: number, to: number, what: string): void {
  const result: bigint | null = mremapCall(from, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to)
  const errno = koffi.errno()
  if (result === null || result === MAP_FAILED) throw systemCallError(errno, 'mremap', what)
}

/** Where the bytes are. They stay there as long as their buffer is referenced, if it is a SharedArrayBuffer. */
export function addressOf(bytes: Uint8Array): number {
  return Number(koffi.address(bytes))
}
