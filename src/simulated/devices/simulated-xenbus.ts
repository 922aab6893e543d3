import type { StoreDevice, StoreDeviceListener } from '../../drivers/xenbus/store-device.js'
import type { GrantError } from '../../errors.js'
import { bytesOf, numbersOf } from '../wire/byte-message.js'
import { Connection } from '../wire/connection.js'
import type { SimulatedDeviceOptions } from './descriptors.js'
import { DeviceFile } from './simulated-file.js'

/** The `openStoreDevice` of a device module. @throws GrantError ENOENT, ECONNREFUSED, ESRCH */
export function openStoreDevice(options: unknown): Promise<StoreDevice> {
  return SimulatedXenbus.open(options as SimulatedDeviceOptions)
}

/** A file of some domain's simulated xenbus: writing blocks, on a session that owns the file; another one reads. */
class SimulatedXenbus implements StoreDevice {
  readonly path: string
  readonly #file: DeviceFile
  readonly #reading: Connection
  #closed = false

  static async open({ path, domid }: SimulatedDeviceOptions): Promise<SimulatedXenbus> {
    const reading = await Connection.open(path, true)
    // Somebody waits for this to be open.
    reading.ref()
    let file: DeviceFile | undefined
    try {
      await reading.request('domain.openStore', [domid])
      file = new DeviceFile(path, 'xenbus', (connection) => connection.request('xenbus.open', [domid]))
      await reading.request('xenbus.join', [file.number('open')])
      reading.unref()
      return new SimulatedXenbus(file, reading)
    } catch (error) {
      file?.connection.close()
      await reading.close()
      throw error
    }
  }

  private constructor(file: DeviceFile, reading: Connection) {
    this.path = file.path
    this.#file = file
    this.#reading = reading
  }

  start(listener: StoreDeviceListener): void {
    void this.#listen(listener)
  }

  write(request: Uint8Array): void {
    const file = this.#file.enter('write')
    this.#file.connection.request('xenbus.write', [file, request.length], numbersOf(request))
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    void this.#reading.close()
    if (this.#file.close()) this.#file.connection.close()
  }

  async #listen(listener: StoreDeviceListener): Promise<void> {
    const file = this.#file.number('read')
    for (;;) {
      try {
        await this.#reading.request('xenbus.wait', [file])
        const { length, numbers } = await this.#reading.request('xenbus.read', [file])
        if (this.#closed) return
        if (length > 0) listener.read(bytesOf(numbers, length))
      } catch (error) {
        if (!this.#closed) listener.failed(error as GrantError)
        return
      }
    }
  }
}
