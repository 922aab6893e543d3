import type { EventDevice } from '../../drivers/evtchn/event-device.js'
import type { SimulatedDeviceOptions } from './descriptors.js'
import { type SimulatedEventFile, SimulatedEventLine } from './simulated-event-line.js'
import { DeviceFile } from './simulated-file.js'

/** The `openEventLine` of a device module. @throws GrantError ENOENT, ECONNREFUSED */
export function openEventLine(options: unknown): Promise<SimulatedEventLine> {
  return SimulatedEventLine.open(options as SimulatedDeviceOptions)
}

/** Its `joinEventDevice`. @throws GrantError ENOENT, ECONNREFUSED */
export function joinEventDevice(file: unknown): EventDevice {
  return new SimulatedEvtchn(file as SimulatedEventFile)
}

/** The worker's half of a file of some domain's simulated evtchn: a session of its own, whose calls block. */
class SimulatedEvtchn implements EventDevice {
  readonly path: string
  readonly #file: DeviceFile

  constructor({ path, file }: SimulatedEventFile) {
    this.path = path
    this.#file = new DeviceFile(path, 'evtchn', (connection) => connection.request('evtchn.join', [file]))
  }

  bindUnbound(domid: number): number {
    const file = this.#file.enter('ioctl')
    return this.#file.connection.request('evtchn.bindUnbound', [file, domid]).port
  }

  bindInterdomain(domid: number, remotePort: number): number {
    const file = this.#file.enter('ioctl')
    return this.#file.connection.request('evtchn.bindInterdomain', [file, domid, remotePort]).port
  }

  bindVirq(virq: number): number {
    const file = this.#file.enter('ioctl')
    return this.#file.connection.request('evtchn.bindVirq', [file, virq]).port
  }

  unbind(port: number): void {
    const file = this.#file.enter('ioctl')
    this.#file.connection.request('evtchn.unbind', [file, port])
  }

  restrict(domid: number): void {
    const file = this.#file.enter('ioctl')
    this.#file.connection.request('evtchn.restrict', [file, domid])
  }

  close(): void {
    if (this.#file.close()) this.#file.connection.close()
  }
}
