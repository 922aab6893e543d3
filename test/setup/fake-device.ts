import { constants } from 'node:os'
import type { Allocation, DeviceLimits, GrantDevice } from '../../dist/src/drivers/gntalloc/grant-device.js'
import type { PageBuffer } from '../../dist/src/drivers/page-buffer.js'
import { GrantError } from '../../dist/src/errors.js'

type Call = 'allocate' | 'deallocate' | 'setUnmapNotify' | 'mmap' | 'munmap'

const PAGE = 4096

/** As much of a driver as the actor needs, in this thread: what is called is logged, and fails when told to. */
export class FakeDevice implements GrantDevice {
  readonly path = '/dev/fake'
  readonly log: string[] = []
  limit: number | undefined
  /** Entries left in the grant table. */
  table: number
  /** Pages counted against the limit; a test may spoil it, as the driver's bug does. */
  used = 0
  closed = false
  /** Length of what is mapped, by address. */
  readonly mapped = new Map<number, number>()
  readonly #failures: [Call, string][] = []
  #index = 0
  #ref = 8

  constructor({ limit, table = Infinity }: { limit?: number; table?: number } = {}) {
    this.limit = limit
    this.table = table
  }

  /** The next call of this kind fails. */
  failNext(call: Call, code: string): void {
    this.#failures.push([call, code])
  }

  /** What has been called since the last time this was asked. */
  taken(): string[] {
    return this.log.splice(0)
  }

  allocate(domid: number, flags: number, count: number): Allocation {
    this.#enter('allocate', domid, flags, count)
    const limit = this.limit ?? Infinity
    if (limit >= 0 && this.used + count > limit) throw fail('ENOSPC', 'allocate')
    const index = this.#index
    // As the driver: what fails after the limit check has used up its range.
    this.#index += count * PAGE
    if (count > this.table) throw fail('ENOSPC', 'allocate')
    this.used += count
    this.table -= count
    return { index, refs: Uint32Array.from({ length: count }, () => this.#ref++) }
  }

  deallocate(index: number, count: number): void {
    this.#enter('deallocate', index / PAGE, count)
    this.used -= count
    this.table += count
  }

  setUnmapNotify(index: number, action: number, port: number): void {
    this.#enter('setUnmapNotify', index, action, port)
  }

  /** What it maps is the buffer's own memory. */
  mmap(index: number, count: number, { address }: PageBuffer): void {
    this.#enter('mmap', index / PAGE, count)
    this.mapped.set(address, count * PAGE)
  }

  munmap(address: number, length: number): void {
    this.#enter('munmap', length / PAGE)
    const end = address + length
    const pieces: number[] = []
    for (let at = address; at < end; at += this.mapped.get(at)!) {
      if (!this.mapped.has(at)) throw fail('EINVAL', 'munmap')
      pieces.push(at)
    }
    for (const piece of pieces) {
      const left = piece + this.mapped.get(piece)! - end
      this.mapped.delete(piece)
      if (left > 0) this.mapped.set(end, left)
    }
  }

  limits(): DeviceLimits {
    return { limit: this.limit, tableCapacity: 32_768 }
  }

  domainExists(): boolean {
    return true
  }

  close(): void {
    this.closed = true
  }

  #enter(call: Call, ...args: number[]): void {
    this.log.push([call, ...args].join(' '))
    const at = this.#failures.findIndex(([failing]) => failing === call)
    if (at >= 0) throw fail(this.#failures.splice(at, 1)[0]![1], call)
  }
}

function fail(code: string, call: string): GrantError {
  const errno = -constants.errno[code as keyof typeof constants.errno]
  return new GrantError(code, `${call}: ${code}`, { errno, syscall: call })
}
