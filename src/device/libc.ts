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
const memsetCall = libc.func('void *memset(void *addr, int byte, size_t length)')
const memcpyCall = libc.func('void *memcpy(void *to, void *from, size_t length)')
const preadCall = libc.func('int64_t pread(int fd, void *to, size_t length, int64_t position)')
const sysconfCall = libc.func('long sysconf(int name)')
const ioctlCall = libc.func('int ioctl(int fd, unsigned long request, void *arg)')
const pipe2Call = libc.func('int pipe2(void *fds, int flags)')
const dup3Call = libc.func('int dup3(int from, int to, int flags)')
const closeCall = libc.func('int close(int fd)')

export const PROT_NONE = 0
export const PROT_READ = 1
export const PROT_WRITE = 2
export const MAP_SHARED = 1
export const MAP_PRIVATE = 2
export const MAP_FIXED = 0x10
export const MAP_ANONYMOUS = 0x20
export const MAP_NORESERVE = 0x4000
export const MAP_POPULATE = 0x8000

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
 * @returns 0, or the positive errno: the caller knows what was being done and words the error.
 */
export function ioctl(fd: number, request: number, argument: Uint8Array): number {
  const result: number = ioctlCall(fd, request, argument)
  const errno = koffi.errno()
  return result < 0 ? errno : 0
}

/**
 * ioctl(2) of a request whose result carries a value.
 * @returns the result, or the negative errno
 */
export function ioctlValue(fd: number, request: number, argument: Uint8Array): number {
  const result: number = ioctlCall(fd, request, argument)
  const errno = koffi.errno()
  return result < 0 ? -errno : result
}

/**
 * The reading end of a pipe that nobody writes to. Node does not know the descriptor: give it to something that owns it.
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

/** Sets `length` bytes at `address`. The caller owns the mapping: a wrong address ends the process. */
export function setMemory(address: number, byte: number, length: number): void {
  memsetCall(address, byte, length)
}

/** pread(2) to an address. @returns bytes read, 0 at the end of the file, or the negative errno */
export function pread(fd: number, address: number, length: number, position: number): number {
  const result: bigint | number = preadCall(fd, address, length, position)
  const errno = koffi.errno()
  return result < 0 ? -errno : Number(result)
}

/** Copies memory that does not overlap. A wrong address, or one too few bytes, ends the process. */
export function copyMemory(to: number | Uint8Array, from: number | Uint8Array, length: number): void {
  memcpyCall(to, from, length)
}

/** Replaces whatever is mapped there by private zero pages that cost memory only when written. @throws GrantError */
export function mapZeroPages(address: number, length: number): void {
  mmap({
    address,
    length,
    prot: PROT_READ | PROT_WRITE,
    flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
    what: `putting zero pages over a mapping of ${length} bytes`,
  })
}
