import type { EventLine, EventListener } from '../../drivers/evtchn/event-device.js'
import type { GrantError } from '../../errors.js'
import { Connection } from '../wire/connection.js'
import { type DirectCall, type EventTable, firstAddress, PORTS_PER_FILE } from '../wire/event-table.js'
import type { SimulatedDeviceOptions } from './descriptors.js'
import { type MappedTable, mapEventTable } from './event-table-map.js'
import { OwnRing } from './own-ring.js'
import { PeerRings } from './peer-rings.js'

/** What the worker's half needs. */
export interface SimulatedEventFile {
  /** The directory of the simulated Xen. */
  path: string
  /** Number of the file, which another session can join. */
  file: number
}

const ALL_PORTS = Array.from({ length: PORTS_PER_FILE - 1 }, (_, index) => index + 1)

/**
 * The client's half of a file of some domain's simulated evtchn. The file goes with its session.
 *
 * It notifies, unmasks and reads by itself, through the table of all ports and the rings. The host is asked when it has
 * been told to let such a call fail, and when a port is not bound, for the error.
 */
export class SimulatedEventLine implements EventLine {
  readonly path: string
  readonly file: SimulatedEventFile
  readonly #connection: Connection
  readonly #mapped: MappedTable
  readonly #table: EventTable
  readonly #place: number
  readonly #ring: OwnRing
  readonly #peers: PeerRings
  /** What the ring has named and the listener has not been told. */
  #unread: number[] = []
  #asking = false
  #listener: EventListener = { fired() {}, failed() {} }
  #closed = false

  /** @throws GrantError ENOENT, ECONNREFUSED, and those of the device, EMFILE */
  static async open({ path, domid }: SimulatedDeviceOptions): Promise<SimulatedEventLine> {
    const connection = await Connection.open(path, true)
    // A caller waits for this to be open.
    connection.ref()
    try {
      const { file, place } = await connection.request('evtchn.open', [domid])
      connection.unref()
      return new SimulatedEventLine(connection, { path, file }, place)
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  private constructor(connection: Connection, file: SimulatedEventFile, place: number) {
    this.path = file.path
    this.file = file
    this.#connection = connection
    this.#place = place
    this.#mapped = mapEventTable(file.path)
    this.#table = this.#mapped.table
    try {
      this.#ring = new OwnRing(file.path, this.#table.ringOf(firstAddress(place)))
    } catch (error) {
      this.#mapped.unmap()
      throw error
    }
    this.#peers = new PeerRings(file.path)
  }

  start(listener: EventListener): void {
    this.#listener = listener
    this.#ring.start(this.#named, (error) => this.#lost(error))
    void this.#connection.ending.then((error) => this.#lost(error))
  }

  notify(port: number): void {
    const address = firstAddress(this.#place) + port
    if (!this.#isDirect('evtchn.notify') || port >= PORTS_PER_FILE || !this.#table.isBound(address)) {
      this.#send('notify', [port], this.#connection.request('evtchn.notify', [this.file.file, port]))
      return
    }
    try {
      const peer = this.#table.peerOf(address)
      // First, since a port that has fired and is in no ring would never be delivered.
      if (peer !== 0) this.#peers.open(this.#table.ringOf(peer))
      this.#table.count(address)
      // Its ring is looked up again: its file may have been closed meanwhile, and another have the place.
      if (peer !== 0 && this.#table.raise(peer))
        this.#peers.push(this.#table.ringOf(peer), peer % PORTS_PER_FILE)
    } catch (error) {
      this.#failed('notify', [port], error)
    }
  }

  unmask(ports: readonly number[]): void {
    if (!this.#isDirect('evtchn.unmask')) {
      const numbers = Uint32Array.from(ports)
      this.#send('unmask', ports, this.#connection.request('evtchn.unmask', [this.file.file], numbers))
      return
    }
    const first = firstAddress(this.#place)
    try {
      for (const port of ports)
        if (port < PORTS_PER_FILE && this.#table.unmask(first + port)) this.#ring.push(port)
    } catch (error) {
      this.#failed('unmask', ports, error)
    }
  }

  reset(): void {
    if (this.#isDirect('evtchn.reset')) this.#table.takeAll(this.#place)
    else this.#send('reset', [], this.#connection.request('evtchn.reset', [this.file.file]))
  }

  ref(): void {
    this.#ring.ref()
  }

  unref(): void {
    this.#ring.unref()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#ring.close()
    this.#peers.close()
    this.#connection.ref()
    try {
      await this.#connection.request('evtchn.close', [this.file.file])
    } catch (error) {
      // A host that has gone has let go of everything of this session.
      if (!this.#connection.ended) throw error
    }
    await this.#connection.close()
    this.#mapped.unmap()
  }

  /** Whether this program carries such a call out itself. */
  #isDirect(call: DirectCall): boolean {
    return !this.#closed && !this.#connection.ended && !this.#table.isOrdered(call)
  }

  readonly #named = (ports: readonly number[]): void => {
    // Only ports that are named twice make so many, and the ring may have been too full for others.
    const all = ports.length === PORTS_PER_FILE
    this.#unread.push(...(all ? ALL_PORTS : ports))
    if (this.#asking) return
    if (this.#isDirect('evtchn.read')) this.#deliver()
    else void this.#ask()
  }

  /** What a ring names twice, or what has been reset, is not told. */
  #deliver(): void {
    const named = this.#unread
    this.#unread = []
    const first = firstAddress(this.#place)
    const fired = named.filter((port) => port < PORTS_PER_FILE && this.#table.take(first + port))
    if (fired.length > 0) this.#listener.fired(fired)
  }

  /** Until a read succeeds. What is reset because one has failed is so before the next is answered. */
  async #ask(): Promise<void> {
    this.#asking = true
    while (this.#unread.length > 0 && !this.#closed && !this.#connection.ended) {
      try {
        await this.#connection.request('evtchn.read', [this.file.file])
        if (!this.#closed) this.#deliver()
      } catch (error) {
        if (!this.#closed && !this.#connection.ended) this.#listener.failed('read', error as GrantError, [])
      }
    }
    this.#asking = false
  }

  /** Nothing fires any more. */
  #lost(error: Error): void {
    if (this.#closed) return
    this.#ring.stop()
    this.#listener.failed('read', error as GrantError, [])
  }

  #send(call: 'notify' | 'unmask' | 'reset', ports: readonly number[], answer: Promise<unknown>): void {
    answer.catch((error) => this.#failed(call, ports, error))
  }

  /** Told after the call has returned. */
  #failed(call: 'notify' | 'unmask' | 'reset', ports: readonly number[], error: unknown): void {
    queueMicrotask(() => {
      if (!this.#closed) this.#listener.failed(call, error as GrantError, ports)
    })
  }
}
