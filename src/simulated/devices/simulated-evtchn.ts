import type { EventDevice } from '../../drivers/evtchn/event-device.js'
import { type SimulatedEventFile, SimulatedEventLine } from './simulated-event-line.js'
import { DeviceFile } from './simulated-file.js'

export interface SimulatedEventDeviceOptions {
  /** The directory of the simulated Xen. */
  path: string
  /** The domain whose device this is. Default: the local domain. */
  domid?: number | undefined
}

/** The `openEventLine` of a device module. @throws GrantError ENOENT, ECONNREFUSED */
export function openEventLine(options: unknown): Promise<SimulatedEventLine> {
  const { path, domid } = options as SimulatedEventDeviceOptions
  return SimulatedEventLine.open(path, domid)
}

/** Its `joinEventDevice`. @throws GrantError ENOENT, ECONNREFUSED */
export function joinEventDevice(file: unknown): EventDevice {
  return new SimulatedEventDevice(file as SimulatedEventFile)
}

/** The worker's half of a file of some domain's simulated evtchn: a session of its own, whose calls block. */
class SimulatedEventDevice implements EventDevice {
  readonly path: string
  readonly #file: DeviceFile

  constructor({ path, file }: SimulatedEventFile) {
    this.path = path
    this.#file = new DeviceFile(path, (connection) => connection.request('joinEvents', [file]))
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

  restrict(domid: number): void {
    const file = this.#file.enter('ioctl')
    this.#file.connection.request('restrict', [file, domid])
  }

  close(): void {
    if (this.#file.close()) this.#file.connection.close()
  }
}
