import { closeSync, constants as fsConstants, openSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { deviceStream } from '../../drivers/device-stream.js'
import type { GrantError } from '../../errors.js'
import { PORTS_PER_FILE } from '../wire/event-table.js'
import { ringFile } from '../wire/protocol.js'
import { ringError, writePort } from './peer-rings.js'

/** The ring of an open event channel file, in its program: a named pipe that Node reads by itself. */
export class OwnRing {
  /** Opened with `fs`: Node closes it when the thread ends. */
  readonly #fd: number
  readonly #read = new Uint32Array(PORTS_PER_FILE)
  #stream: Socket | undefined
  #referenced = false

  /**
   * @param path the directory of the simulated Xen
   * @throws GrantError EMFILE, ENFILE
   */
  constructor(path: string, ring: number) {
    // For writing too: a pipe ends when nothing can write to it, and unmasking does.
    const flags = fsConstants.O_RDWR | fsConstants.O_NONBLOCK
    try {
      this.#fd = openSync(join(path, ringFile(ring)), flags)
    } catch (error) {
      throw ringError(error, 'open')
    }
  }

  /**
   * @param named told of the ports that are put into it, and that have been before
   * @throws GrantError EMFILE
   */
  start(named: (ports: readonly number[]) => void, failed: (error: GrantError) => void): void {
    const { BYTES_PER_ELEMENT } = this.#read
    // A port is written at once, so none is read in two parts.
    this.#stream = deviceStream(this.#fd, new Uint8Array(this.#read.buffer), (length) =>
      named(Array.from(this.#read.subarray(0, length / BYTES_PER_ELEMENT))),
    )
    this.#stream.on('error', (error) => failed(ringError(error, 'read')))
    if (!this.#referenced) this.#stream.unref()
  }

  /** @throws GrantError */
  push(port: number): void {
    writePort(this.#fd, port)
  }

  /** It keeps the thread alive, until `unref`. */
  ref(): void {
    this.#referenced = true
    this.#stream?.ref()
  }

  unref(): void {
    this.#referenced = false
    this.#stream?.unref()
  }

  /** Nothing is told any more, and nothing kept alive. */
  stop(): void {
    this.#stream?.destroy()
    this.#stream = undefined
  }

  /** Once. */
  close(): void {
    this.stop()
    closeSync(this.#fd)
  }
}
