import { PAGE_SIZE } from '../../abi.js'
import type { GrantDevice } from '../../drivers/gntalloc/grant-device.js'
import { zero } from '../../memory/copy-bytes.js'
import { dropped } from '../../memory/dropped.js'
import type { GrantRecord, ReleaseProgress } from './grant-records.js'

/** Larger grants, in pages, are given back step by step: one DEALLOC of 1 GiB holds the device for a quarter of a second. */
export const LARGE = 256

/** What one step does: a tenth of a millisecond each, or a quarter for the pages that are freed. */
const STEP = { scrubBytes: 1 << 20, unmapBytes: 4 << 20, freePages: 256 } as const

/** Gives one large grant back, a step at a time, between the requests of other clients. */
export class LargeRelease {
  readonly #device: GrantDevice
  readonly #record: GrantRecord
  readonly #progress: ReleaseProgress

  /** @param scrub whether to set the pages to zero first */
  constructor(device: GrantDevice, record: GrantRecord, scrub: boolean) {
    this.#device = device
    this.#record = record
    record.progress ??= { scrubbed: 0, unmapped: 0, freed: 0 }
    this.#progress = record.progress
    const bytes = record.pages * PAGE_SIZE
    // What was scrubbed before may have been written to since, unless it has been unmapped.
    if (record.mapped) this.#progress.scrubbed = scrub ? this.#progress.unmapped : bytes
    else this.#progress.scrubbed = bytes
  }

  get done(): boolean {
    return this.#progress.freed === this.#record.pages
  }

  /** @throws GrantError of the driver, with the record as far as it was */
  step(): void {
    const { pages, index, memory, mapped } = this.#record
    const progress = this.#progress
    const bytes = pages * PAGE_SIZE
    if (progress.scrubbed < bytes) {
      const count = Math.min(STEP.scrubBytes, bytes - progress.scrubbed)
      zero(new Uint8Array(memory.buffer, progress.scrubbed, count))
      progress.scrubbed += count
    } else if (mapped) {
      // The driver frees nothing before the last piece of a mapping is gone.
      const count = Math.min(STEP.unmapBytes, bytes - progress.unmapped)
      this.#device.munmap(memory.address + progress.unmapped, count)
      progress.unmapped += count
      if (progress.unmapped < bytes) return
      this.#record.mapped = false
      dropped(bytes)
    } else {
      const count = Math.min(STEP.freePages, pages - progress.freed)
      this.#device.deallocate(index + progress.freed * PAGE_SIZE, count)
      progress.freed += count
    }
  }
}
