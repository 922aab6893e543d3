import { PAGE_SIZE, UNMAP_NOTIFY_CLEAR_BYTE, UNMAP_NOTIFY_SEND_EVENT } from '../../abi.js'
import type { CopySegment, MapDevice } from '../../drivers/gntdev/map-device.js'
import { createPageBuffer, type PageBuffer } from '../../drivers/page-buffer.js'
import { GrantError } from '../../errors.js'
import { dropped } from '../../memory/dropped.js'
import { Lingering } from '../../memory/lingering.js'
import { StatusByte } from '../../pages/peer-status.js'
import type { MapRequest } from '../map-message.js'
import type { MapAnswer } from '../map-messages.js'
import type { MapNotify } from '../message-numbers.js'
import { cannotMap } from './bad-reference.js'
import { Mapping } from './mapping.js'
import { unmapTogether } from './unmap-together.js'

interface MapRecord {
  data: Mapping
  status: Mapping | undefined
}

/** The owner of the mapping device: maps and unmaps, one call after the other. */
export class MapActor {
  readonly #device: MapDevice
  readonly #records = new Map<number, MapRecord>()
  /** Mappings that no caller got, and that could not be unmapped at once. */
  #strays: Mapping[] = []
  readonly #lingering = new Lingering()
  #nextId = 1

  constructor(device: MapDevice) {
    this.#device = device
  }

  map({ names, writable, notify, status }: MapRequest): MapAnswer {
    this.#retryStrays()
    const undo: (() => void)[] = []
    try {
      const watched = status && this.#mapStatus(status, undo)
      const data = this.#mapData(names, writable, watched?.memory.address)
      undo.push(() => this.#discard(data))
      if (notify) data.setUnmapNotify(notify.offset, notify.action, notify.port)
      if (status && watched) this.#announce(watched, status)
      const id = this.#nextId++
      this.#records.set(id, { data, status: watched })
      return watched ? [id, data.memory.buffer, watched.memory.buffer] : [id, data.memory.buffer]
    } catch (error) {
      for (const step of undo.reverse()) step()
      throw error
    }
  }

  /** @param below of the status page: a dying process is unmapped from low to high addresses, and the data has to go first */
  #mapData(names: Uint32Array, writable: boolean, below = Number.POSITIVE_INFINITY): Mapping {
    try {
      return this.#mmap(names, writable, createBelow(below, names.length / 2))
    } catch (error) {
      throw cannotMap(this.#device.path, names, writable, error, (some) => this.#mappable(some, writable))
    }
  }

  #mapStatus({ domid, ref }: NonNullable<MapRequest['status']>, undo: (() => void)[]): Mapping {
    const mapping = this.#mmap(Uint32Array.of(domid, ref), true)
    undo.push(() => this.#discard(mapping))
    return mapping
  }

  /** Armed before it says 'mapped': if this process dies in between, it has claimed nothing that stays claimed. */
  #announce(mapping: Mapping, { offset, port }: { offset: number; port: number }): void {
    const action = UNMAP_NOTIFY_CLEAR_BYTE | (port === 0 ? 0 : UNMAP_NOTIFY_SEND_EVENT)
    mapping.setUnmapNotify(offset + StatusByte.live, action, port)
    const view = new Uint8Array(mapping.memory.buffer, 0, PAGE_SIZE)
    Atomics.store(view, offset + StatusByte.live, 1)
    Atomics.store(view, offset + StatusByte.seen, 1)
  }

  #mmap(names: Uint32Array, writable: boolean, memory = createPageBuffer(names.length / 2)): Mapping {
    const mapping = new Mapping(this.#device, memory)
    try {
      mapping.map(names, writable)
      return mapping
    } catch (error) {
      this.#discard(mapping)
      dropped((names.length / 2) * PAGE_SIZE)
      throw error
    }
  }

  #mappable(names: Uint32Array, writable: boolean): boolean {
    try {
      this.#discard(this.#mmap(names, writable))
      return true
    } catch (error) {
      if (error instanceof GrantError && error.code === 'EINVAL' && error.syscall === 'mmap') return false
      throw error
    }
  }

  /** For which no caller waits: what fails is tried again later. */
  #discard(mapping: Mapping): void {
    this.#strays.push(mapping)
    this.#retryStrays()
  }

  #retryStrays(): void {
    this.#strays = this.#strays.filter((mapping) => {
      try {
        mapping.release()
        return false
      } catch {
        return true
      }
    })
  }

  /** A step that fails leaves the rest as it is, and can be tried again from there. */
  unmap(id: number): void {
    const { data, status } = this.#get(id)
    data.release()
    // After the data: this is what tells the granter that all of it is gone.
    status?.release()
    this.#records.delete(id)
    this.#lingering.keep(data.memory.buffer)
  }

  /** Ahead of an {@link unmap} of each: what lies side by side is unmapped together, as far as it can be. */
  unmapMemory(ids: ReadonlySet<number>): void {
    const mappings: Mapping[] = []
    for (const id of ids) {
      const record = this.#records.get(id)
      if (record) mappings.push(record.data)
    }
    unmapTogether(this.#device, mappings)
  }

  setUnmapNotify(id: number, { offset, action, port }: MapNotify): void {
    const { data } = this.#get(id)
    if (offset >= data.byteLength)
      throw new GrantError('ERR_GRANTS_PROTOCOL', `byte ${offset} is outside mapping ${id}`)
    data.setUnmapNotify(offset, action, port)
  }

  copy(segments: CopySegment[]): Int16Array {
    return this.#device.copy(segments)
  }

  /** Unmaps everything, whether or not there are still views of it. */
  close(): void {
    for (const id of [...this.#records.keys()]) {
      if (!this.#unmapped(id)) this.#unmapped(id)
    }
    this.#retryStrays()
    this.#device.close()
  }

  /** One that cannot be unmapped must not keep the others, nor the device open. */
  #unmapped(id: number): boolean {
    try {
      this.unmap(id)
      return true
    } catch {
      return false
    }
  }

  #get(id: number): MapRecord {
    const record = this.#records.get(id)
    if (!record) throw new GrantError('ERR_GRANTS_UNSHARED', `mapping ${id} has been unmapped`)
    return record
  }
}

/** Linux puts new memory below what there is, unless something has left room above: that is used up then. */
function createBelow(limit: number, pages: number): PageBuffer {
  const above: PageBuffer[] = []
  for (;;) {
    const memory = createPageBuffer(pages)
    if (memory.address < limit || above.length === TRIES) return memory
    above.push(memory)
  }
}

const TRIES = 64
