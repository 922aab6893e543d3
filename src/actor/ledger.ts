import { mapZeroPages } from '../device/libc.js'
import { GROWTH_SLOTS, SLOT_BYTES } from './ledger-buffer.js'

/**
 * Which mappings exist, in memory shared with the server's thread. Mappings belong to the process and survive a device
 * worker that dies; the ledger lets the survivor make them harmless. The device worker is the only writer.
 *
 * Layout: Float64 pairs of address and length; address 0 is a free slot. A slot's length is written before its
 * address, and the address is cleared before the unmap, so a reader never finds a range that is not ours.
 */
export class MappingLedger {
  readonly #buffer: SharedArrayBuffer
  #slots: Float64Array
  readonly #free: number[] = []
  #used = 0

  constructor(buffer: SharedArrayBuffer) {
    this.#buffer = buffer
    this.#slots = new Float64Array(buffer)
  }

  /** @returns the slot, for {@link release} */
  record(address: number, length: number): number {
    const slot = this.#free.pop() ?? this.#used++
    if (slot * 2 >= this.#slots.length) {
      this.#buffer.grow(this.#buffer.byteLength + GROWTH_SLOTS * SLOT_BYTES)
      this.#slots = new Float64Array(this.#buffer)
    }
    this.#slots[slot * 2 + 1] = length
    this.#slots[slot * 2] = address
    return slot
  }

  /**
   * Frees the slots and unmaps their ranges, in this order: dying in between leaves mappings behind, while the other way
   * round the survivor would put zero pages into what has meanwhile become somebody else's memory.
   * @throws what `unmap` throws; the slots are then as before
   */
  release(slots: readonly number[], unmap: () => void): void {
    const addresses = slots.map((slot) => this.#slots[slot * 2]!)
    for (const slot of slots) this.#slots[slot * 2] = 0
    try {
      unmap()
    } catch (error) {
      for (const [i, slot] of slots.entries()) this.#slots[slot * 2] = addresses[i]!
      throw error
    }
    this.#free.push(...slots)
  }
}

/**
 * For the survivor of a dead device worker: zero pages in the place of everything it had mapped. The address ranges
 * stay reserved, since nobody knows any more who still holds a view of them.
 * @returns how many mappings there were
 */
export function neutralise(buffer: SharedArrayBuffer): number {
  const slots = new Float64Array(buffer)
  let count = 0
  for (let i = 0; i < slots.length; i += 2) {
    if (slots[i] === 0) continue
    mapZeroPages(slots[i]!, slots[i + 1]!)
    slots[i] = 0
    count++
  }
  return count
}
