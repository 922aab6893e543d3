import { PAGE_SIZE } from '../../abi.js'
import type { GrantDevice } from '../../drivers/gntalloc/grant-device.js'
import { zero } from '../../memory/copy-bytes.js'
import { dropped } from '../../memory/dropped.js'
import { Lingering } from '../../memory/lingering.js'
import type { GrantRecord } from './grant-records.js'
import { LARGE, LargeRelease } from './large-release.js'

type Done = (error?: unknown) => void

/** A grant on its way back. */
interface Staged {
  readonly record: GrantRecord
  readonly done: Done[]
  /** Bytes from its first on that have been set to zero. */
  scrubbed: number
  readonly large: LargeRelease | undefined
}

/** What one grant may have scrubbed before the next has its turn, and what a step of a large one counts for. */
const SLICE = 1 << 20

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
  #staged: Staged[] = []

  constructor(device: GrantDevice, scrub: boolean) {
    this.#device = device
    this.#scrub = scrub
  }

  /** Whether something is on its way back that a flush has not finished. */
  get pending(): boolean {
    return this.#staged.length > 0
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
    const scrubbed = this.#scrub && record.mapped ? 0 : record.pages * PAGE_SIZE
    const large = record.pages > LARGE ? new LargeRelease(this.#device, record, this.#scrub) : undefined
    this.#staged.push({ record, done: [done], scrubbed, large })
  }

  /** For a record that is staged: `done` is called as well when it is back. */
  join(record: GrantRecord, done: Done): void {
    this.#staged.find((staged) => staged.record === record)!.done.push(done)
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
   * Gives back what has been scrubbed.
   * @param bytes how much may be scrubbed for it now, in slices of all that is on its way; what is left waits for the next
   *   flush
   */
  flush(bytes = Infinity): void {
    let left = bytes
    // What has just been answered may be followed by more.
    while (this.#staged.length > 0) {
      const staged = this.#staged
      this.#staged = []
      const ready: Staged[] = []
      for (const one of staged) {
        if (left <= 0) this.#staged.push(one)
        else if (one.large) left -= this.#stepOf(one, one.large)
        else {
          left -= this.#scrubSlice(one, left)
          if (one.scrubbed === one.record.pages * PAGE_SIZE) ready.push(one)
          else this.#staged.push(one)
        }
      }
      if (ready.length > 0) this.#release(ready)
      else if (left <= 0) return
    }
  }

  /** @returns what it counts for, in bytes */
  #stepOf(one: Staged, large: LargeRelease): number {
    let failure: unknown
    try {
      large.step()
      if (!large.done) {
        this.#staged.push(one)
        return SLICE
      }
    } catch (error) {
      failure = error
    }
    one.record.staged = false
    for (const tell of one.done) tell(failure)
    return SLICE
  }

  /** While a peer still maps a page it can see what is in it, also after this (docs/driver.md, deferred pages). */
  #scrubSlice(staged: Staged, most: number): number {
    const { record, scrubbed } = staged
    const count = Math.min(SLICE, most, record.pages * PAGE_SIZE - scrubbed)
    if (count <= 0) return 0
    zero(new Uint8Array(record.memory.buffer, scrubbed, count))
    staged.scrubbed += count
    return count
  }

  #release(staged: Staged[]): void {
    for (const { record } of staged) record.staged = false
    const mapped = staged.filter(({ record }) => record.mapped)
    for (const run of runs(mapped, ({ memory }) => memory.address)) this.#unmap(run)
    const unmapped = staged.filter(({ record }) => !record.mapped)
    for (const run of runs(unmapped, ({ index }) => index)) this.#deallocate(run)
  }

  #unmap(run: Staged[]): void {
    const length = bytesOf(run)
    try {
      this.#device.munmap(run[0]!.record.memory.address, length)
    } catch (error) {
      this.#oneByOne(run, error, (one) => this.#unmap(one))
      return
    }
    for (const { record } of run) record.mapped = false
    dropped(length)
  }

  #deallocate(run: Staged[]): void {
    try {
      this.#device.deallocate(run[0]!.record.index, bytesOf(run) / PAGE_SIZE)
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
  #oneByOne(run: Staged[], error: unknown, step: (one: Staged[]) => void): void {
    if (run.length === 1) for (const tell of run[0]!.done) tell(error)
    else for (const one of run) step([one])
  }
}

function bytesOf(run: readonly Staged[]): number {
  return run.reduce((sum, { record }) => sum + record.pages, 0) * PAGE_SIZE
}

/** Those that lie next to each other, by address or by index. */
function* runs(staged: Staged[], place: (record: GrantRecord) => number): Generator<Staged[]> {
  const sorted = staged.toSorted((x, y) => place(x.record) - place(y.record))
  let from = 0
  for (let i = 1; i <= sorted.length; i++) {
    const { record: previous } = sorted[i - 1]!
    const end = place(previous) + previous.pages * PAGE_SIZE
    if (i < sorted.length && place(sorted[i]!.record) === end) continue
    yield sorted.slice(from, i)
    from = i
  }
}
