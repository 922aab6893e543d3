import koffi from 'koffi'
import { systemCallError, type What } from '../errors.js'

/**
 * The C library, through koffi: synchronous calls only. Each declaration exists once per thread, since koffi never
 * frees one. errno is the thread's own and is read first thing when a call has failed; anything in between may change it.
 * Addresses are declared as integers: koffi makes a BigInt of what is declared a pointer.
 *
 * Only linux on 64-bit little-endian machines: constants below are those of x86-64 and arm64.
 */
const libc = koffi.load(null)

const mmapCall = libc.func(
  'int64_t mmap(int64_t addr, size_t length, int prot, int flags, int fd, int64_t offset)',
)
const munmapCall = libc.func('int munmap(int64_t addr, size_t length)')
const mremapCall = libc.func(
  'int64_t mremap(int64_t old, size_t length, size_t newLength, int flags, int64_t address)',
)
const sysconfCall = libc.func('long sysconf(int name)')
const ioctlCall = libc.func('int ioctl(int fd, unsigned long request, void *arg)')
const writeCall = libc.func('int64_t write(int fd, const void *bytes, size_t length)')
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

const MAP_FAILED = -1

export interface MmapRequest {
  /** Where to map: 0 lets the kernel choose, anything else needs MAP_FIXED in `flags`. */
  address?: number
  length: number
  prot: number
  flags: number
  fd?: number | undefined
  offset?: number | undefined
  /** What is being mapped, for the message of a failure. */
  what: What
}

/** mmap(2). @returns the address as a number: user space ends below 2^47. @throws GrantError */
export function mmap({ address = 0, length, prot, flags, fd = -1, offset = 0, what }: MmapRequest): number {
  const result: number = mmapCall(address, length, prot, flags, fd, offset)
  if (result === MAP_FAILED) throw systemCallError(koffi.errno(), 'mmap', what)
  return result
}

/** munmap(2). @throws GrantError */
export function munmap(address: number, length: number): void {
  const result: number = munmapCall(address, length)
  if (result === 0) return
  const errno = koffi.errno()
  throw systemCallError(errno, 'munmap', `unmapping ${length} bytes at 0x${address.toString(16)}`)
}

/**
 * ioctl(2) with a buffer as its argument.
 * @returns the result, or the negative errno: the caller knows what was being done and words the error
 */
export function ioctl(fd: number, request: number, argument: DataView): number {
  const result: number = ioctlCall(fd, request, argument)
  return result < 0 ? -koffi.errno() : result
}

/** write(2) of the first `length` bytes, for files that take them all. @returns how many, or the negative errno */
export function write(fd: number, bytes: Uint32Array, length: number): number {
  const result: number = writeCall(fd, bytes, length)
  return result < 0 ? -koffi.errno() : result
}

/**
 * The reading end of a pipe that is never written to. Node does not know the descriptor: give it to something that owns it.
 * @throws GrantError
 */
export function readingPipe(): number {
  const ends = new Int32Array(2)
  const result: number = pipe2Call(ends, O_CLOEXEC)
  if (result < 0) throw systemCallError(koffi.errno(), 'pipe2', 'making a pipe')
  closeCall(ends[1])
  return ends[0]!
}

/** Makes `to` another descriptor of the open file of `from`, in the place of what it was. @throws GrantError */
export function replaceDescriptor(from: number, to: number): void {
  const result: number = dup3Call(from, to, O_CLOEXEC)
  if (result >= 0) return
  const errno = koffi.errno()
  throw systemCallError(errno, 'dup3', `making descriptor ${to} the same as ${from}`)
}

/** Bytes in a page of this kernel's. */
export function pageSize(): number {
  return Number(sysconfCall(30 /* _SC_PAGESIZE */))
}

/** Moves a mapping to `to`, in the place of whatever is mapped there. @throws GrantError, with the first where it was */
export function moveMapping(from: number, length: number, to: number, what: What): void {
  const result: number = mremapCall(from, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to)
  if (result === MAP_FAILED) throw systemCallError(koffi.errno(), 'mremap', what)
}

/** Where the bytes are. They stay there as long as their buffer is referenced, if it is a SharedArrayBuffer. */
export function addressOf(bytes: Uint8Array): number {
  return Number(koffi.address(bytes))
}
