import { PAGE_SIZE, UNMAP_NOTIFY_CLEAR_BYTE } from '../abi.js'

/**
 * Maps of one gntdev file that have not been mmapped yet, and whether their notification clears a byte: once they are mapped
 * the driver looks after that itself. There are few at a time.
 */
export class UnmappedMaps {
  readonly #maps = new Map<number, { end: number; clearsByte: boolean }>()

  add(index: number, count: number): void {
    this.#maps.set(index, { end: index + count * PAGE_SIZE, clearsByte: false })
  }

  remove(index: number): void {
    this.#maps.delete(index)
  }

  /** Notes a notification that the driver has accepted for the map of byte `index`. */
  arm(index: number, action: number): void {
    for (const [start, map] of this.#maps) {
      if (start <= index && index < map.end) map.clearsByte = (action & UNMAP_NOTIFY_CLEAR_BYTE) !== 0
    }
  }

  clearsByte(index: number): boolean {
    return this.#maps.get(index)?.clearsByte ?? false
  }
}
