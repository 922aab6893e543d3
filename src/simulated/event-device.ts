import type { EventDevice } from '../device/seam.js'
import { Connection } from './connection.js'
import { DeviceFile, domidOf } from './device-file.js'

export interface SimulatedEventDeviceOptions {
  /** The directory of the simulated Xen. */
  path: string
  /** The domain whose device this is. Default: the local domain. */
  domid?: number | undefined
}

/** The `openEventDevice` of a device module. @throws GrantError ENOENT, ECONNREFUSED */
export async function openEventDevice(options: unknown): Promise<EventDevice> {
  const { path, domid } = options as SimulatedEventDeviceOptions
  const waiting = await Connection.open(path, true)
  try {
    const file = new DeviceFile(path, (connection) =>
      connection.request('openEvents', [domidOf(connection, domid)]),
    )
    return new SimulatedEventDevice(file, waiting)
  } catch (error) {
    await waiting.close()
    throw error
  }
}

/** A file of some domain's simulated evtchn. Calls block, on one connection; on another it waits for events. */
class SimulatedEventDevice implements EventDevice {
  readonly path: string
  readonly #file: DeviceFile
  readonly #waiting: Connection
  #callback: (() => void) | undefined

  constructor(file: DeviceFile, waiting: Connection) {
    this.path = file.path
    this.#file = file
    this.#waiting = waiting
  }

  bindUnbound(domid: number): number {
    const file = this.#file.enter('ioctl')
    return this.#file.connection.request('bindUnbound', [file, domid]).port
  }

  bindInterdomain(domid: number, remotePort: number): number {
    const file = this.#file.enter('ioctl')
    return this.#file.connection.request('bindInterdomain', [file, domid, remotePort]).port
  }

  bindVirq(virq: number): number {
    const file = this.#file.enter('ioctl')
    return this.#file.connection.request('bindVirq', [file, virq]).port
  }

  unbind(port: number): void {
    const file = this.#file.enter('ioctl')
    this.#file.connection.request('unbind', [file, port])
  }

  notify(port: number): void {
    const file = this.#file.enter('ioctl')
    this.#file.connection.request('notify', [file, port])
  }

  restrict(domid: number): void {
    const file = this.#file.enter('ioctl')
    this.#file.connection.request('restrict', [file, domid])
  }

  read(): number[] {
    const file = this.#file.enter('read')
    return [...this.#file.connection.request('readEvents', [file]).numbers]
  }

  unmask(ports: readonly number[]): void {
    const file = this.#file.enter('write')
    this.#file.connection.request('unmaskEvents', [file], Uint32Array.from(ports))
  }

  reset(): void {
    const file = this.#file.enter('ioctl')
    this.#file.connection.request('resetEvents', [file])
  }

  onPending(callback: () => void): void {
    const first = this.#callback === undefined
    this.#callback = callback
    if (first) void this.#wait(this.#file.number('poll'))
  }

  close(): void {
    if (!this.#file.close()) return
    this.#file.connection.close()
    void this.#waiting.close()
  }

  /** As poll(2) on the real device: again and again while there is something to read. */
  async #wait(file: number): Promise<void> {
    let connected = true
    while (connected) {
      try {
        await this.#waiting.request('waitEvents', [file])
      } catch {
        // The simulated Xen has gone, or this device has been closed. The former `read` reports, in the callback.
        connected = false
      }
      if (!this.#file.isOpen) return
      this.#callback?.()
    }
  }
}
