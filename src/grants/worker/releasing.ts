import { performance } from 'node:perf_hooks'
import { PAGE_SIZE } from '../../abi.js'
import type { GrantDevice } from '../../drivers/gntalloc/grant-device.js'
import { zero } from '../../memory/copy-bytes.js'
import { dropped } from '../../memory/dropped.js'
import { Lingering } from '../../memory/lingering.js'
import { sideBySide } from '../../runs.js'
import type { GrantRecord } from './grant-records.js'
import { LARGE, LargeRelease } from './large-release.js'

type Done = (error?: unknown) => void

/** A grant on its way back. */
interface Staged {
  readonly record: GrantRecord
  readonly done: Done[]
}

/** One that goes back step by step. */
interface StagedLarge extends Staged {
  readonly release: LargeRelease
}

/** How much a flush does. */
export interface FlushBounds {
  /** Of large grants, see `STEP` in large-release.ts, and as many batches of small ones. */
  steps: number
  /** After so many milliseconds no further step is begun. */
  milliseconds: number
}

const NO_BOUNDS: FlushBounds = { steps: Infinity, milliseconds: Infinity }

/** Pages of one batch of small grants. As many as a turn has requests: what it takes back page by page is merged whole. */
const BATCH_PAGES = 512

/**
 * Takes grants back, whether or not there are still views of them. What is adjacent is unmapped in one call at the next
 * {@link flush}, and deallocated in one: each munmap of a process with several threads interrupts the processors the others
 * run on.
 *
 * A step that fails leaves the record as it then is, and giving it back can be tried again from there.
 */
export class Releasing {
  readonly #device: GrantDevice
  readonly #scrub: boolean
  readonly #lingering = new Lingering()
  readonly #small: Staged[] = []
  /** They take turns: the first makes a step and goes to the end. */
  readonly #large: StagedLarge[] = []

  constructor(device: GrantDevice, scrub: boolean) {
    this.#device = device
    this.#scrub = scrub
  }

  /** Whether something is on its way back that a flush has not finished. */
  get pending(): boolean {
    return this.#small.length > 0 || this.#large.length > 0
  }

  /** `done` is called by a flush, or at once when a step fails. */
  giveBack(record: GrantRecord, fireNotify: boolean, done: Done): void {
    try {
      if (record.mapped && !fireNotify) this.#disarm(record)
    } catch (error) {
      done(error)
      return
    }
    record.staged = true
    const staged = { record, done: [done] }
    if (record.pages <= LARGE) this.#small.push(staged)
    else this.#large.push({ ...staged, release: new LargeRelease(this.#device, record, this.#scrub) })
  }

  /** For a record that is staged: `done` is called as well when it is back. */
  join(record: GrantRecord, done: Done): void {
    const staged = record.pages <= LARGE ? this.#small : this.#large
    staged.find((one) => one.record === record)!.done.push(done)
  }

  /** The header's rule: clear a notification before the deallocation if you do not want it to occur. */
  #disarm(record: GrantRecord): void {
    if (!record.armed) return
    for (const offset of record.armed.values()) {
      this.#device.setUnmapNotify(record.index + offset, 0, 0)
    }
    record.armed = undefined
  }

  /**
   * Scrubs and gives back what is on its way, or part of it. Small and large grants take turns, so that neither waits for
   * all of the other.
   *
   * Bounded in time too, since one call of the device may take as long as scrubbing many pages.
   */
  flush({ steps, milliseconds }: FlushBounds = NO_BOUNDS): void {
    if (!this.pending) return
    const until = performance.now() + milliseconds
    for (let step = 0; step < steps; step++) {
      this.#releaseSmall()
      this.#stepOfLarge()
      if (!this.pending || performance.now() >= until) return
    }
  }

  #releaseSmall(): void {
    let count = 0
    for (let pages = 0; count < this.#small.length; count++) {
      pages += this.#small[count]!.record.pages
      if (pages > BATCH_PAGES) break
    }
    if (count === 0) return
    const batch = this.#small.splice(0, count)
    if (this.#scrub) for (const { record } of batch) scrub(record)
    this.#release(batch)
  }

  #stepOfLarge(): void {
    const one = this.#large.shift()
    if (!one) return
    let failure: unknown
    try {
      one.release.step()
      if (!one.release.done) {
        this.#large.push(one)
        return
      }
    } catch (error) {
      failure = error
    }
    one.record.staged = false
    for (const tell of one.done) tell(failure)
  }

  #release(staged: Staged[]): void {
    for (const { record } of staged) record.staged = false
    const mapped = staged.filter(({ record }) => record.mapped)
    for (const run of sideBySide(mapped, ({ record }) => record.memory.address, bytesOf)) this.#unmap(run)
    const unmapped = staged.filter(({ record }) => !record.mapped)
    for (const run of sideBySide(unmapped, ({ record }) => record.index, bytesOf)) this.#deallocate(run)
  }

  #unmap(run: readonly Staged[]): void {
    const length = bytesOfAll(run)
    try {
      this.#device.munmap(run[0]!.record.memory.address, length)
    } catch (error) {
      this.#oneByOne(run, error, (one) => this.#unmap(one))
      return
    }
    for (const { record } of run) record.mapped = false
    dropped(length)
  }

  #deallocate(run: readonly Staged[]): void {
    try {
      this.#device.deallocate(run[0]!.record.index, bytesOfAll(run) / PAGE_SIZE)
    } catch (error) {
      this.#oneByOne(run, error, (one) => this.#deallocate(one))
      return
    }
    for (const { record, done } of run) {
      this.#lingering.keep(record.memory.buffer)
      for (const tell of done) tell()
    }
  }

  /** No request may fail that would have succeeded alone. */
  #oneByOne(run: readonly Staged[], error: unknown, step: (one: readonly Staged[]) => void): void {
    if (run.length === 1) for (const tell of run[0]!.done) tell(error)
    else for (const one of run) step([one])
  }
}

/** While a peer still maps a page it can see what is in it, also after this (docs/driver.md, deferred pages). */
function scrub({ mapped, memory, pages }: GrantRecord): void {
  if (mapped) zero(new Uint8Array(memory.buffer, 0, pages * PAGE_SIZE))
}

function bytesOf({ record }: Staged): number {
  return record.pages * PAGE_SIZE
}

function bytesOfAll(run: readonly Staged[]): number {
  return run.reduce((sum, one) => sum + bytesOf(one), 0)
}
