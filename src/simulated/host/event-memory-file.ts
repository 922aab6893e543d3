import { closeSync, constants as fsConstants, openSync, rmSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import koffi from 'koffi'
import { PAGE_SIZE } from '../../abi.js'
import { systemCallError } from '../../errors.js'
import { mapEventTable } from '../devices/event-table-map.js'
import { writePort } from '../devices/peer-rings.js'
import type { EventMemory, EventRing } from '../kernel/event-memory.js'
import { BYTES_PER_FILE, directCalls, type EventTable, MAX_FILES } from '../wire/event-table.js'
import { type Call, files, ringFile } from '../wire/protocol.js'
import { MemoryFile } from './memory-file.js'

const mkfifoCall = koffi.load(null).func('int mkfifo(const char *path, uint32_t mode)')

const PAGES_PER_FILE = BYTES_PER_FILE / PAGE_SIZE

/** The ports of all event channel files in a file that their programs map, and a named pipe for each of them. */
export class SharedEventMemory implements EventMemory {
  readonly table: EventTable
  readonly files = MAX_FILES
  readonly #path: string
  readonly #memory: MemoryFile

  /**
   * @param path the directory of the simulated Xen
   * @throws GrantError ENOMEM
   */
  constructor(path: string) {
    this.#path = path
    this.#memory = new MemoryFile(join(path, files.events))
    // Place 0 is no file's, but which failures are ordered is looked up there. With the last page the file is as long as the
    // table, so that an address that a program has spoiled leads to no page beyond its end, which would end others.
    if (!this.reserve(0) || !this.#memory.reserve(MAX_FILES * PAGES_PER_FILE - 1, 1))
      throw systemCallError(constants.errno.ENOMEM, 'fallocate', this.advice, { path })
    this.table = mapEventTable(path).table
  }

  get advice(): string {
    return this.#memory.advice
  }

  reserve(file: number): boolean {
    return this.#memory.reserve(file * PAGES_PER_FILE, PAGES_PER_FILE)
  }

  makeRing(number: number): EventRing {
    return new NamedPipe(join(this.#path, ringFile(number)))
  }

  /** Has programs ask the host for calls of which failures are ordered. */
  readonly order = (call: Call, ordered: boolean): void => {
    const direct = directCalls.find((name) => name === call)
    if (direct !== undefined) this.table.order(direct, ordered)
  }
}

class NamedPipe implements EventRing {
  readonly #path: string
  /** For reading too: a pipe that nothing reads cannot be opened, and its program opens it later. */
  readonly #fd: number

  /** @throws GrantError EMFILE, … */
  constructor(path: string) {
    this.#path = path
    const what = 'making the ring of an event channel file'
    const made: number = mkfifoCall(path, 0o600)
    const errno = koffi.errno()
    if (made !== 0) throw systemCallError(errno, 'mkfifo', what, { path })
    try {
      this.#fd = openSync(path, fsConstants.O_RDWR | fsConstants.O_NONBLOCK)
    } catch (cause) {
      rmSync(path)
      const { errno = 0 } = cause as NodeJS.ErrnoException
      throw systemCallError(-errno, 'open', what, { path, cause })
    }
  }

  push(port: number): void {
    writePort(this.#fd, port)
  }

  /** Its program reads it. */
  take(): number[] {
    return []
  }

  close(): void {
    // The directory may have been removed already.
    rmSync(this.#path, { force: true })
    closeSync(this.#fd)
  }
}
