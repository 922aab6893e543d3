import { PAGE_SIZE } from '../abi.js'
import { munmap, setMemory } from '../device/libc.js'
import type { GrantDevice } from '../device/seam.js'
import type { GrantRecord } from './grants.js'
import type { MappingLedger } from './ledger.js'

type Done = (error?: unknown) => void

/**
 * Takes grants back. Memory is let go one grant at a time; the pages of all of them are deallocated together at the
 * next {@link flush}, adjacent runs in one call.
 *
 * A step that fails leaves the record as it then is, and giving it back can be tried again from there.
 */
export class Releasing {
  readonly #device: GrantDevice
  readonly #ledger: MappingLedger
  readonly #scrub: boolean
  #staged: { record: GrantRecord; done: Done }[] = []

  constructor(device: GrantDevice, ledger: MappingLedger, scrub: boolean) {
    this.#device = device
    this.#ledger = ledger
    this.#scrub = scrub
  }

  /** For a grant nobody holds any more. `done` is called by the next flush, or at once when a step fails. */
  giveBack(record: GrantRecord, fireNotify: boolean, done: Done): void {
    this.#stage(record, fireNotify, done, () => {
      const length = record.pages * PAGE_SIZE
      this.#ledger.release(record.slot, () => this.#device.munmap(record.address, length))
      record.memory = 'unmapped'
    })
  }

  /**
   * For a grant that is still held: its pages go back, zero pages take their place under every view. The range stays
   * until {@link unreserve}.
   */
  revoke(record: GrantRecord, fireNotify: boolean, done: Done): void {
    this.#stage(record, fireNotify, done, () => {
      this.#device.replaceMapping(record.address, record.pages * PAGE_SIZE)
      record.memory = 'zeroed'
    })
  }

  /** Gives the address range of a revoked grant back to the process: nobody may have a view of it any more. */
  unreserve(record: GrantRecord): void {
    this.#ledger.release(record.slot, () => munmap(record.address, record.pages * PAGE_SIZE))
    record.memory = 'unmapped'
  }

  #stage(record: GrantRecord, fireNotify: boolean, done: Done, letGo: () => void): void {
    try {
      if (record.memory === 'mapped') {
        if (!fireNotify) this.#disarm(record)
        // While a peer still maps a page it can see what is in it, also after this (docs/driver.md, deferred pages).
        if (this.#scrub) setMemory(record.address, 0, record.pages * PAGE_SIZE)
        letGo()
      }
    } catch (error) {
      done(error)
      return
    }
    record.staged = true
    this.#staged.push({ record, done })
  }

  /** The header's rule: clear a notification before the deallocation if you do not want it to occur. */
  #disarm(record: GrantRecord): void {
    if (!record.armed) return
    for (const offset of record.armed.values()) {
      this.#device.setUnmapNotify(record.index + offset, 0, 0)
    }
    record.armed = undefined
  }

  flush(): void {
    if (this.#staged.length === 0) return
    const staged = this.#staged.sort((x, y) => x.record.index - y.record.index)
    this.#staged = []
    for (const { record } of staged) record.staged = false
    let from = 0
    for (let i = 1; i <= staged.length; i++) {
      const previous = staged[i - 1]!.record
      if (i < staged.length && staged[i]!.record.index === previous.index + previous.pages * PAGE_SIZE)
        continue
      this.#deallocate(staged.slice(from, i))
      from = i
    }
  }

  #deallocate(run: { record: GrantRecord; done: Done }[]): void {
    const pages = run.reduce((sum, { record }) => sum + record.pages, 0)
    try {
      this.#device.deallocate(run[0]!.record.index, pages)
    } catch (error) {
      if (run.length === 1) run[0]!.done(error)
      else for (const one of run) this.#deallocate([one])
      return
    }
    for (const { done } of run) done()
  }
}
