import { PAGE_SIZE, UNMAP_NOTIFY_CLEAR_BYTE, UNMAP_NOTIFY_SEND_EVENT } from '../abi.js'
import type { MappingLedger } from '../actor/ledger.js'
import { munmap } from '../device/libc.js'
import type { CopySegment, GrantName, MapDevice } from '../device/seam.js'
import { GrantError } from '../errors.js'
import { detach, viewOf } from '../memory/view.js'
import { StatusByte } from '../peer/status.js'
import type { MapRequest } from '../protocol/messages.js'
import { cannotMap } from './cannot-map.js'

/** One mmap of this device. */
interface Mapping {
  index: number
  count: number
  address: number
  slot: number
}

interface MapRecord {
  data: Mapping
  status: { mapping: Mapping; view: Uint8Array } | undefined
  /** Zero pages are in the place of the memory; the range is kept until nobody can have a view of it. */
  zeroed: boolean
}

/** The owner of the mapping device: maps and unmaps, one call after the other. */
export class MapActor {
  readonly #device: MapDevice
  readonly #ledger: MappingLedger
  readonly #records = new Map<number, MapRecord>()
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
    const undo: (() => void)[] = []
    try {
      const watched = status && this.#mapStatus(status, undo)
      const data = this.#mapData(pairs(names), writable)
      undo.push(() => this.#release(data))
      if (notify) this.#device.setUnmapNotify(data.index + notify.offset, notify.action, notify.port)
      if (status && watched) this.#announce(watched, status)
      const id = this.#nextId++
      this.#records.set(id, { data, status: watched, zeroed: false })
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
      throw cannotMap(this.#device, names, writable, error)
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
      this.#release(mapping)
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
      return { index, count, address, slot: this.#ledger.record(address, count * PAGE_SIZE) }
    } catch (error) {
      this.#device.unmap(index, count)
      throw error
    }
  }

  #release({ index, count, address, slot }: Mapping): void {
    this.#device.munmap(address, count * PAGE_SIZE)
    this.#ledger.clear(slot)
    this.#device.unmap(index, count)
  }

  unmap(id: number, force: boolean): void {
    const record = this.#get(id)
    const { data, status } = record
    if (force) {
      this.#device.replaceMapping(data.address, data.count * PAGE_SIZE)
      record.zeroed = true
      this.#device.unmap(data.index, data.count)
    } else {
      this.#release(data)
      this.#records.delete(id)
    }
    // After the data: this is what tells the granter that all of it is gone.
    if (status) {
      detach(status.view)
      this.#release(status.mapping)
      record.status = undefined
    }
  }

  unreserve(id: number): void {
    const { data, zeroed } = this.#get(id)
    if (!zeroed) throw new GrantError('ERR_GRANTS_PROTOCOL', `mapping ${id} is still in use`)
    munmap(data.address, data.count * PAGE_SIZE)
    this.#ledger.clear(data.slot)
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
    for (const [id, { zeroed }] of [...this.#records]) {
      if (!zeroed) this.unmap(id, force)
    }
    this.#device.close()
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
