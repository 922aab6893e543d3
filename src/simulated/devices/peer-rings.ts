import { Buffer } from 'node:buffer'
import { closeSync, constants as fsConstants, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { GrantError, systemCallError } from '../../errors.js'
import { ringFile } from '../wire/protocol.js'

/** Rings that are kept open: the host does not tell when one of them goes. */
const MOST = 64

/** The rings of the files that a program notifies, opened when they are first needed. */
export class PeerRings {
  readonly #path: string
  /** Descriptors that Node knows, by the number of the ring, which no other ever has. */
  readonly #open = new Map<number, number>()

  /** @param path the directory of the simulated Xen */
  constructor(path: string) {
    this.#path = path
  }

  /** @returns its descriptor, undefined if it has gone. @throws GrantError EMFILE, ENFILE */
  open(ring: number): number | undefined {
    const known = this.#open.get(ring)
    if (known !== undefined) return known
    let fd: number
    try {
      fd = openSync(join(this.#path, ringFile(ring)), fsConstants.O_WRONLY | fsConstants.O_NONBLOCK)
    } catch (error) {
      const failure = ringError(error, 'open')
      if (failure.code === 'ENOENT' || failure.code === 'ENXIO') return undefined
      throw failure
    }
    const [oldest] = this.#open.keys()
    if (oldest !== undefined && this.#open.size === MOST) this.#close(oldest)
    this.#open.set(ring, fd)
    return fd
  }

  /** Names a port in a ring. What is sent to a program that has ended is lost, and no error. @throws GrantError EMFILE, ENFILE */
  push(ring: number, port: number): void {
    const fd = this.open(ring)
    if (fd === undefined) return
    try {
      writePort(fd, port)
    } catch (error) {
      if (!(error instanceof GrantError && error.code === 'EPIPE')) throw error
      this.#close(ring)
    }
  }

  close(): void {
    for (const ring of this.#open.keys()) this.#close(ring)
  }

  #close(ring: number): void {
    const fd = this.#open.get(ring)
    this.#open.delete(ring)
    if (fd !== undefined) closeSync(fd)
  }
}

const entry = Buffer.alloc(Uint32Array.BYTES_PER_ELEMENT)

/**
 * Writes a port to a ring, whole. A ring that is full has it no less: a program that reads so many looks at all its ports.
 * @throws GrantError
 */
export function writePort(fd: number, port: number): void {
  entry.writeUInt32LE(port)
  try {
    writeSync(fd, entry)
  } catch (error) {
    const failure = ringError(error, 'write')
    if (failure.code !== 'EAGAIN') throw failure
  }
}

export function ringError(error: unknown, syscall: string): GrantError {
  const { errno } = error as NodeJS.ErrnoException
  if (errno === undefined) throw error
  const what = 'using a ring of event channels of the simulated Xen'
  return systemCallError(-errno, syscall, what, { cause: error })
}
