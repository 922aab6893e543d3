import { Buffer } from 'node:buffer'
import { constants as fsConstants, readSync, writeSync } from 'node:fs'
import type { Socket } from 'node:net'
import { constants } from 'node:os'
import { GrantError, systemCallError } from '../../errors.js'
import { xenbus } from '../catalogue.js'
import { CharDevice, type ProbeAnswer } from '../char-device.js'
import { deviceStream } from '../device-stream.js'
import type { StoreDevice, StoreDeviceListener } from './store-device.js'

const { ESPIPE } = constants.errno
const READ_BUFFER = 16 << 10

/** An open /dev/xen/xenbus. Node reads from it while the event loop turns; what is written may block the thread. */
export class XenbusDevice implements StoreDevice {
  readonly path: string
  readonly #file: CharDevice
  #stream: Socket | undefined

  /** @param file opened with O_NONBLOCK; belongs to this from now on */
  constructor(file: CharDevice) {
    this.path = file.path
    this.#file = file
  }

  /** @throws GrantError when `path` cannot be opened or is not that device; the message says what to do */
  static open(path: string = xenbus.path): XenbusDevice {
    return new XenbusDevice(CharDevice.open(xenbus, path, probe, fsConstants.O_NONBLOCK))
  }

  start(listener: StoreDeviceListener): void {
    const buffer = Buffer.allocUnsafeSlow(READ_BUFFER)
    const stream = deviceStream(this.#file.fd, buffer, (length) => listener.read(buffer.subarray(0, length)))
    let cause: Error | undefined
    stream.on('error', (error) => {
      cause = error
    })
    stream.on('close', () => {
      if (this.#stream) listener.failed(this.#readFailure(cause))
    })
    this.#stream = stream
  }

  write(request: Uint8Array): void {
    try {
      // Whole, or not at all: what has been written of a request would begin the next.
      writeSync(this.#file.fd, request)
    } catch (error) {
      const { errno } = error as NodeJS.ErrnoException
      if (errno === undefined) throw error
      throw systemCallError(-errno, 'write', 'sending a request to xenstored', {
        path: this.path,
        cause: error,
      })
    }
  }

  close(): void {
    const stream = this.#stream
    this.#stream = undefined
    stream?.destroy()
    this.#file.close()
  }

  #readFailure(cause: Error | undefined): GrantError {
    const what = `reading what xenstored answers from ${this.path}`
    const { errno } = (cause ?? {}) as NodeJS.ErrnoException
    if (errno !== undefined) return systemCallError(-errno, 'read', what, { path: this.path, cause })
    return new GrantError('ECONNRESET', `${what}: nothing more will come`, { path: this.path, cause })
  }
}

/**
 * It has no ioctls. What can be read like a stream and not like a file is not another device by mistake, at least.
 * @throws GrantError
 */
function probe(file: CharDevice): ProbeAnswer {
  try {
    // pread(2), which takes nothing away from a stream.
    readSync(file.fd, Buffer.alloc(1), 0, 1, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).errno === -ESPIPE) return 'expected'
  }
  const { path } = file
  throw new GrantError('ENODEV', `${path} does not answer as ${xenbus.label}, which is ${xenbus.path}`, {
    path,
  })
}

/** The way in of the store worker, see StoreDeviceModule. */
export function openStoreDevice(options: unknown): StoreDevice {
  return XenbusDevice.open((options as { path?: string } | undefined)?.path)
}
