import { PAGE_SIZE, UNMAP_NOTIFY_CLEAR_BYTE, UNMAP_NOTIFY_SEND_EVENT } from '../abi.js'
import type { MappingLedger } from '../actor/ledger.js'
import { munmap } from '../device/libc.js'
import type { CopySegment, GrantName, MapDevice } from '../device/seam.js'
import { GrantError } from '../errors.js'
import { detach, viewOf } from '../memory/view.js'
import { StatusByte } from '../peer/status.js'
import type { MapRequest } from '../protocol/messages.js'
import { cannotMap } from './cannot-map.js'

/** One map of this device. It is let go in two steps, each of which can fail and be tried again. */
interface Mapping {
  index: number
  count: number
  address: number
  slot: number
  /** Its memory: zero pages may be in the place of the grants, until nobody can have a view of the range. */
  memory: 'mapped' | 'zeroed' | 'none'
  /** The driver keeps the references. */
  known: boolean
}

interface MapRecord {
  data: Mapping
  status: { mapping: Mapping; view: Uint8Array } | undefined
}

/** The owner of the mapping device: maps and unmaps, one call after the other. */
export class MapActor {
  readonly #device: MapDevice
  readonly #ledger: MappingLedger
  readonly #records = new Map<number, MapRecord>()
  /** Mappings nobody got, and that could not be let go at once. */
  #strays: Mapping[] = []
  #nextId = 1

  constructor(device: MapDevice, ledger: MappingLedger) {
    this.#device = device
    this.#ledger = ledger
  }

  map({ names, writable, notify, status }: MapRequest): { id: number; address: number } {
    const limit = this.#device.limit()
    const count = names.length / 2
    if (limit !== undefined && count > limit) {
      const text = `cannot map ${count} grants at once: the driver allows ${limit} in one mapping (gntdev limit)`
      throw new GrantError('EINVAL', text, {
        errno: -22,
        syscall: 'ioctl',
        path: this.#device.path,
        pages: count,
      })
    }
    this.#retryStrays()
    const undo: (() => void)[] = []
    try {
      const watched = status && this.#mapStatus(status, undo)
      const data = this.#mapData(pairs(names), writable)
      undo.push(() => this.#discard(data))
      if (notify) this.#device.setUnmapNotify(data.index + notify.offset, notify.action, notify.port)
      if (status && watched) this.#announce(watched, status)
      const id = this.#nextId++
      this.#records.set(id, { data, status: watched })
      return { id, address: data.address }
    } catch (error) {
      for (const step of undo.reverse()) step()
      throw error
    }
  }

  #mapData(names: GrantName[], writable: boolean): Mapping {
    try {
      return this.#mmap(names, writable)
    } catch (error) {
      throw cannotMap(this.#device.path, names, writable, error, (some) => this.#mappable(some, writable))
    }
  }

  #mapStatus(
    { domid, ref }: NonNullable<MapRequest['status']>,
    undo: (() => void)[],
  ): NonNullable<MapRecord['status']> {
    const mapping = this.#mmap([{ domid, ref }], true)
    const view = viewOf(mapping.address, PAGE_SIZE)
    undo.push(() => {
      detach(view)
      this.#discard(mapping)
    })
    return { mapping, view }
  }

  /** Armed before it says 'mapped': if this process dies in between, nothing is claimed that nobody takes back. */
  #announce(
    { mapping, view }: NonNullable<MapRecord['status']>,
    { offset, port }: { offset: number; port: number },
  ): void {
    const action = UNMAP_NOTIFY_CLEAR_BYTE | (port === 0 ? 0 : UNMAP_NOTIFY_SEND_EVENT)
    this.#device.setUnmapNotify(mapping.index + offset + StatusByte.live, action, port)
    Atomics.store(view, offset + StatusByte.live, 1)
    Atomics.store(view, offset + StatusByte.seen, 1)
  }

  #mmap(names: GrantName[], writable: boolean): Mapping {
    const count = names.length
    const index = this.#device.map(names)
    try {
      const address = this.#device.mmap(index, count, writable)
      const slot = this.#ledger.record(address, count * PAGE_SIZE)
      return { index, count, address, slot, memory: 'mapped', known: true }
    } catch (error) {
      this.#discard({ index, count, address: 0, slot: -1, memory: 'none', known: true })
      throw error
    }
  }

  #mappable(names: GrantName[], writable: boolean): boolean {
    try {
      this.#discard(this.#mmap(names, writable))
      return true
    } catch (error) {
      if (error instanceof GrantError && error.code === 'EINVAL' && error.syscall === 'mmap') return false
      throw error
    }
  }

  #release(mapping: Mapping): void {
    const { count, address, slot } = mapping
    if (mapping.memory === 'mapped') {
      this.#ledger.release([slot], () => this.#device.munmap(address, count * PAGE_SIZE))
      mapping.memory = 'none'
    }
    this.#forget(mapping)
  }

  #forget(mapping: Mapping): void {
    if (mapping.known) this.#device.unmap(mapping.index, mapping.count)
    mapping.known = false
  }

  /** For what nobody waits for: what fails is tried again later. */
  #discard(mapping: Mapping): void {
    this.#strays.push(mapping)
    this.#retryStrays()
  }

  #retryStrays(): void {
    this.#strays = this.#strays.filter((mapping) => {
      try {
        this.#release(mapping)
        return false
      } catch {
        return true
      }
    })
  }

  /** A step that fails leaves the rest as it is, and can be tried again from there. */
  unmap(id: number, force: boolean): void {
    const { data, status } = this.#get(id)
    if (force && data.memory === 'mapped') {
      this.#device.replaceMapping(data.address, data.count * PAGE_SIZE)
      data.memory = 'zeroed'
    }
    if (data.memory === 'zeroed') this.#forget(data)
    else this.#release(data)
    // After the data: this is what tells the granter that all of it is gone.
    if (status) {
      detach(status.view)
      this.#release(status.mapping)
    }
    if (data.memory === 'none') this.#records.delete(id)
  }

  unreserve(id: number): void {
    const { data } = this.#get(id)
    if (data.memory !== 'zeroed') throw new GrantError('ERR_GRANTS_PROTOCOL', `mapping ${id} is still in use`)
    this.#ledger.release([data.slot], () => munmap(data.address, data.count * PAGE_SIZE))
    this.#records.delete(id)
  }

  setUnmapNotify(id: number, offset: number, action: number, port: number): void {
    const { data } = this.#get(id)
    this.#device.setUnmapNotify(data.index + offset, action, port)
  }

  copy(segments: CopySegment[]): Int16Array {
    return this.#device.copy(segments)
  }

  /** Everything goes. With force, views may still exist: their memory becomes zero pages. */
  close(force: boolean): void {
    for (const id of [...this.#records.keys()]) {
      if (!this.#unmapped(id, force)) this.#unmapped(id, force)
    }
    this.#retryStrays()
    this.#device.close()
  }

  /** One that cannot be let go must not keep the others, nor the device open. */
  #unmapped(id: number, force: boolean): boolean {
    try {
      this.unmap(id, force)
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

function pairs(names: Uint32Array): GrantName[] {
  return Array.from({ length: names.length / 2 }, (_, i) => ({
    domid: names[2 * i]!,
    ref: names[2 * i + 1]!,
  }))
}
