import { Buffer } from 'node:buffer'
import { ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { constants } from 'node:os'
import koffi from 'koffi'
import { PAGE_SIZE } from '../../abi.js'
import { systemCallError } from '../../errors.js'
import type { PageMemory } from '../kernel/frames.js'

const fallocateCall = koffi.load(null).func('int fallocate(int fd, int mode, int64_t offset, int64_t length)')

const FALLOC_FL_KEEP_SIZE = 1
const FALLOC_FL_PUNCH_HOLE = 2

/** The memory of all granted pages: a sparse file that everybody maps, and that grows. Frame n is its n-th page. */
export class MemoryFile implements PageMemory {
  readonly advice: string
  readonly #fd: number
  /** Pages it has room for. */
  #size = 0

  /** @param path must not exist */
  constructor(path: string) {
    this.#fd = openSync(path, 'wx+', 0o600)
    this.advice =
      `the file system of ${path}, which is the simulated machine's memory, is full. Enlarge it (of a container: docker run ` +
      '--shm-size=1g), or create the simulated Xen on another one: SimulatedXen.create({ path })'
  }

  /**
   * Has the file system set memory aside now. Without that a full one (/dev/shm of a container is often 64 MiB) would end
   * whatever process writes to the page first, by SIGBUS.
   */
  reserve(first: number, count: number): boolean {
    const errno = this.#allocate(0, first, count)
    if (errno === constants.errno.ENOSPC || errno === constants.errno.ENOMEM) return false
    if (errno !== 0 && errno !== constants.errno.EOPNOTSUPP)
      throw systemCallError(errno, 'fallocate', `reserving ${count} pages of the simulated memory`)
    // A page beyond the end of the file cannot be touched; where fallocate does nothing it does not lengthen the file.
    this.#size = Math.max(this.#size, first + count)
    if (errno !== 0) ftruncateSync(this.#fd, this.#size * PAGE_SIZE)
    return true
  }

  clearByte(frame: number, offset: number): void {
    writeSync(this.#fd, Buffer.alloc(1), 0, 1, frame * PAGE_SIZE + offset)
  }

  read(frame: number, offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    readSync(this.#fd, bytes, 0, length, frame * PAGE_SIZE + offset)
    return bytes
  }

  write(frame: number, offset: number, bytes: Uint8Array): void {
    writeSync(this.#fd, bytes, 0, bytes.length, frame * PAGE_SIZE + offset)
  }

  /** @throws GrantError */
  discard(first: number, count: number): void {
    const errno = this.#allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, first, count)
    if (errno === 0) return
    if (errno !== constants.errno.EOPNOTSUPP)
      throw systemCallError(errno, 'fallocate', `dropping ${count} pages of the simulated memory`)
    // Not every file system has holes (the directory may be on a disk): zeros read the same.
    const zeros = Buffer.alloc(PAGE_SIZE)
    for (let page = 0; page < count; page++)
      writeSync(this.#fd, zeros, 0, PAGE_SIZE, (first + page) * PAGE_SIZE)
  }

  /** @returns 0 or a positive errno */
  #allocate(mode: number, first: number, count: number): number {
    for (;;) {
      const result: number = fallocateCall(this.#fd, mode, first * PAGE_SIZE, count * PAGE_SIZE)
      const errno = koffi.errno()
      if (result === 0) return 0
      if (errno !== constants.errno.EINTR) return errno
    }
  }
}
