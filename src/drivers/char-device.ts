import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { GrantError, systemCallError, type What } from '../errors.js'
import { ioctl } from '../native/libc.js'
import type { DeviceKind } from './catalogue.js'
import { openFailure } from './open-failure.js'

/** What of a failed call its error names, beside the path. */
export interface CallFields {
  domid?: number
  pages?: number
}

/** An open file of one of Xen's character devices, as far as all of them are alike. */
export class CharDevice {
  readonly path: string
  #fd: number

  /** @param fd belongs to the code that opened it */
  constructor(path: string, fd: number) {
    this.path = path
    this.#fd = fd
  }

  /**
   * Opens a device for reading and writing: the grant drivers let a read-only file map nothing, not even for reading. Node
   * knows the descriptor, so it closes it when the thread that opened it ends for whatever reason.
   *
   * @param probe asks something harmless that only this driver answers as it does
   * @param flags more of open(2)'s, such as O_NONBLOCK
   * @throws GrantError when `path` cannot be opened or is not that device; the message says what to do
   */
  static open(
    kind: DeviceKind,
    path: string,
    probe: (device: CharDevice) => ProbeAnswer,
    flags = 0,
  ): CharDevice {
    let fd: number
    try {
      fd = openSync(path, constants.O_RDWR | constants.O_NOCTTY | flags)
    } catch (error) {
      throw openFailure(kind, path, error)
    }
    try {
      if (!fstatSync(fd).isCharacterDevice()) {
        const what = `${path} is not a character device; ${kind.label} is ${kind.path}`
        throw new GrantError('ENODEV', what, { path })
      }
      const device = new CharDevice(path, fd)
      const answer = probe(device)
      if (answer === 'expected') return device
      const what = `${path} does not answer as ${kind.label}, which is ${kind.path}`
      throw systemCallError(answer, 'ioctl', what, { path })
    } catch (error) {
      closeSync(fd)
      throw error
    }
  }

  /** Negative once closed. */
  get fd(): number {
    return this.#fd
  }

  /**
   * An ioctl.
   * @returns its result, which is not negative
   * @throws GrantError that names the device, `what` was being done, and `fields`
   */
  request(request: number, argument: DataView, what: What, fields?: CallFields): number {
    const result = this.tryRequest(request, argument)
    if (result >= 0) return result
    throw systemCallError(-result, 'ioctl', what, { path: this.path, ...fields })
  }

  /** An ioctl whose failure is an answer. @returns its result, or the negative errno */
  tryRequest(request: number, argument: DataView): number {
    return ioctl(this.#fd, request, argument)
  }

  close(): void {
    if (this.#fd < 0) return
    const fd = this.#fd
    // Forgotten first: the number may belong to another file as soon as it is closed.
    this.#fd = -1
    closeSync(fd)
  }

  /** The descriptor, to be closed by the caller. */
  release(): number {
    const fd = this.#fd
    this.#fd = -1
    return fd
  }
}

/** What a probe found: the driver that was meant, or the positive errno (0: success) that another one gave. */
export type ProbeAnswer = 'expected' | number

/** For messages. */
export function pages(count: number): string {
  return count === 1 ? '1 page' : `${count} pages`
}
