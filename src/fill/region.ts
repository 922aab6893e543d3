import { constants } from 'node:os'
import { outOfRange } from '../arguments.js'
import { copyMemory, pread, setMemory } from '../device/libc.js'
import { GrantError, systemCallError } from '../errors.js'

const { EINTR } = constants.errno

/**
 * Mapped memory that a filler writes to by address. Not through a view: V8 counts a view of a mapping as memory it has
 * allocated, and collects garbage for it, 3 ms at a time.
 */
export class Region {
  readonly #address: number
  readonly #byteLength: number

  constructor(address: number, byteLength: number) {
    this.#address = address
    this.#byteLength = byteLength
  }

  /** @param source address of memory that stays where it is */
  copy(start: number, source: number, length: number): void {
    copyMemory(this.#at(start, length), source, length)
  }

  set(start: number, byte: number, length: number): void {
    setMemory(this.#at(start, length), byte, length)
  }

  /** Straight into the pages: the kernel's copy is the only one. @throws GrantError ERR_GRANTS_SHORT_READ, system errors */
  read(start: number, fd: number, position: number, length: number): void {
    const address = this.#at(start, length)
    for (let done = 0; done < length; ) {
      const count = pread(fd, address + done, length - done, position + done)
      if (count === -EINTR) continue
      if (count < 0) throw systemCallError(-count, 'read', `reading byte ${position + done} of a file`)
      if (count === 0) throw endedEarly(position + done, length - done)
      done += count
    }
  }

  #at(start: number, length: number): number {
    // What is computed wrong here would be written somewhere else.
    if (!(start >= 0 && length >= 0 && start + length <= this.#byteLength)) {
      throw outOfRange('slice', `within ${this.#byteLength} bytes`, [start, length])
    }
    return this.#address + start
  }
}

function endedEarly(position: number, missing: number): GrantError {
  return new GrantError(
    'ERR_GRANTS_SHORT_READ',
    `the file ended at byte ${position}, ${missing} bytes before the end of what was asked for`,
  )
}
