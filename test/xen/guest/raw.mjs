import koffi from 'koffi'
import { describeErrno } from '../../../dist/src/errors.js'

export { peek, poke } from '../../contract/memory.mjs'

// The C library without any checks, for requests the driver has to refuse. Each call returns the name of the errno where
// one is expected.
const libc = koffi.load(null)
const ioctlBuffer = libc.func('int ioctl(int fd, unsigned long request, void *arg)')
const mmapCall = libc.func(
  'void *mmap(void *addr, size_t length, int prot, int flags, int fd, int64_t offset)',
)
const munmapCall = libc.func('int munmap(void *addr, size_t length)')

export const PAGE = 4096
export const PROT = { READ: 1, WRITE: 2 }
export const MAP = { SHARED: 1, PRIVATE: 2, ANONYMOUS: 0x20 }

function nameOf(errno) {
  return describeErrno(errno).code
}

/** @param argument a buffer, or an address that need not be valid */
export function ioctl(fd, request, argument) {
  const result = ioctlBuffer(fd, request, argument)
  const errno = koffi.errno()
  return result < 0 ? { error: nameOf(errno) } : { result }
}

/** mmap(2) of a device. */
export function mmap(fd, offset, length, prot = PROT.READ | PROT.WRITE, flags = MAP.SHARED) {
  const address = mmapCall(0, length, prot, flags, fd, offset)
  const errno = koffi.errno()
  if (address === 0xffff_ffff_ffff_ffffn) return { error: nameOf(errno) }
  return { address: Number(address) }
}

export function munmap(address, length) {
  const result = munmapCall(address, length)
  const errno = koffi.errno()
  return result < 0 ? { error: nameOf(errno) } : {}
}
