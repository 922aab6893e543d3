import { PAGE_SIZE, UNMAP_NOTIFY_CLEAR_BYTE } from '../../abi.js'

/**
 * Which maps of one gntdev file may be mmapped: each once, and none whose notification is to clear a byte. When an mmap fails
 * (of a map used before it always does) or is read-only, the driver of a paravirtualised domain clears that byte all the
 * same, in a page that it cannot write to, and the kernel crashes.
 */
export class MapGuard {
  /** Recorded and not mmapped: few at a time. */
  readonly #fresh = new Map<number, { count: number; clearsByte: boolean }>()
  readonly #used = new Set<number>()

  add(index: number, count: number): void {
    this.#fresh.set(index, { count, clearsByte: false })
  }

  forget(index: number): void {
    this.#fresh.delete(index)
    this.#used.delete(index)
  }

  /** An mmap has been tried: of another length it found no map. */
  tried(index: number, count: number): void {
    if (this.#fresh.get(index)?.count !== count) return
    this.#fresh.delete(index)
    this.#used.add(index)
  }

  /** Notes a notification that the driver has accepted for the map of byte `index`. */
  arm(index: number, action: number): void {
    for (const [start, map] of this.#fresh) {
      if (start <= index && index < start + map.count * PAGE_SIZE)
        map.clearsByte = (action & UNMAP_NOTIFY_CLEAR_BYTE) !== 0
    }
  }

  /** @returns why it must not be mmapped */
  refusal(index: number): string | undefined {
    if (this.#used.has(index)) return 'a map can be mapped once only'
    return this.#fresh.get(index)?.clearsByte
      ? 'its notification is to clear a byte: arm it afterwards'
      : undefined
  }
}
