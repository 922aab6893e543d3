import type { EventLine, EventListener } from '../../drivers/evtchn/event-device.js'
import type { GrantError } from '../../errors.js'
import { Connection } from '../wire/connection.js'
import type { SimulatedDeviceOptions } from './descriptors.js'

/** What the worker's half needs. */
export interface SimulatedEventFile {
  /** The directory of the simulated Xen. */
  path: string
  /** Number of the file, which another session can join. */
  file: number
}

/** The client's half of a file of some domain's simulated evtchn. The file goes with its session. */
export class SimulatedEventLine implements EventLine {
  readonly path: string
  readonly file: SimulatedEventFile
  readonly #connection: Connection
  #listener: EventListener = { fired() {}, failed() {} }
  #closed = false

  /** @throws GrantError ENOENT, ECONNREFUSED */
  static async open({ path, domid }: SimulatedDeviceOptions): Promise<SimulatedEventLine> {
    const connection = await Connection.open(path, true)
    // Somebody waits for this to be open.
    connection.ref()
    try {
      const { file } = await connection.request('evtchn.open', [domid])
      connection.unref()
      return new SimulatedEventLine(connection, { path, file })
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  private constructor(connection: Connection, file: SimulatedEventFile) {
    this.path = file.path
    this.file = file
    this.#connection = connection
  }

  start(listener: EventListener): void {
    this.#listener = listener
    void this.#listen()
  }

  notify(port: number): void {
    this.#send('notify', [port], this.#connection.request('evtchn.notify', [this.file.file, port]))
  }

  unmask(ports: readonly number[]): void {
    const numbers = Uint32Array.from(ports)
    this.#send('unmask', ports, this.#connection.request('evtchn.unmask', [this.file.file], numbers))
  }

  reset(): void {
    this.#send('reset', [], this.#connection.request('evtchn.reset', [this.file.file]))
  }

  ref(): void {
    this.#connection.ref()
  }

  unref(): void {
    this.#connection.unref()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#connection.ref()
    try {
      await this.#connection.request('evtchn.close', [this.file.file])
    } catch (error) {
      // A host that has gone has let go of everything of this session.
      if (!this.#connection.ended) throw error
    }
    await this.#connection.close()
  }

  async #listen(): Promise<void> {
    for (;;) {
      try {
        await this.#connection.request('evtchn.wait', [this.file.file])
        const { numbers } = await this.#connection.request('evtchn.read', [this.file.file])
        if (this.#closed) return
        if (numbers.length > 0) this.#listener.fired([...numbers])
      } catch (error) {
        if (this.#closed) return
        this.#listener.failed('read', error as GrantError, [])
        if (this.#connection.ended) return
      }
    }
  }

  #send(call: 'notify' | 'unmask' | 'reset', ports: readonly number[], answer: Promise<unknown>): void {
    answer.catch((error) => {
      if (!this.#closed) this.#listener.failed(call, error as GrantError, ports)
    })
  }
}
