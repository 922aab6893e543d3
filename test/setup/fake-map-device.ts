import { constants } from 'node:os'
import type { CopySegment, MapDevice } from '../../dist/src/drivers/gntdev/map-device.js'
import type { PageBuffer } from '../../dist/src/drivers/page-buffer.js'
import { GrantError } from '../../dist/src/errors.js'

type Call = 'map' | 'mmap' | 'munmap' | 'unmap' | 'setUnmapNotify'

const PAGE = 4096

/** As much of the mapping device as the actor needs, in this thread: what is called is logged, and fails when told to. */
export class FakeMapDevice implements MapDevice {
  readonly path = '/dev/fake-gntdev'
  readonly log: string[] = []
  max: number | undefined
  closed = false
  /** References that cannot be mapped. */
  readonly bad = new Set<number>()
  /** What is recorded, pairs of domid and reference by index in pages, and what is mapped, by address. */
  readonly maps = new Map<number, Uint32Array>()
  readonly mapped = new Map<number, number>()
  readonly #failures: [Call, string][] = []
  #index = 0

  /** The next call of this kind fails. */
  failNext(call: Call, code: string): void {
    this.#failures.push([call, code])
  }

  /** What has been called since the last time this was asked. */
  taken(): string[] {
    return this.log.splice(0)
  }

  map(names: Uint32Array): number {
    this.#enter('map', refsOf(names).join(','))
    const count = names.length / 2
    if (count > (this.max ?? count)) throw fail('EINVAL', 'map')
    const page = this.#index
    this.#index += count
    this.maps.set(page, names)
    return page * PAGE
  }

  mmap(index: number, count: number, writable: boolean, { address }: PageBuffer): void {
    this.#enter('mmap', index / PAGE, count, writable ? 'w' : 'r')
    if (refsOf(this.maps.get(index / PAGE)!).some((ref) => this.bad.has(ref))) throw fail('EINVAL', 'mmap')
    this.mapped.set(address, count)
  }

  munmap(address: number, length: number): void {
    this.#enter('munmap', length / PAGE)
    // Of one mapping, or of several side by side.
    for (let at = address; at < address + length; ) {
      const count = this.mapped.get(at)
      if (count === undefined || !this.mapped.delete(at)) throw fail('EINVAL', 'munmap')
      at += count * PAGE
    }
  }

  unmap(index: number, count: number): void {
    this.#enter('unmap', index / PAGE, count)
    if (!this.maps.delete(index / PAGE)) throw fail('ENOENT', 'unmap')
  }

  setUnmapNotify(index: number, action: number, port: number): void {
    this.#enter('setUnmapNotify', index, action, port)
  }

  copy(segments: readonly CopySegment[]): Int16Array {
    return new Int16Array(segments.length)
  }

  limit(): number | undefined {
    return this.max
  }

  close(): void {
    this.closed = true
  }

  #enter(call: Call, ...args: (number | string)[]): void {
    this.log.push([call, ...args].join(' '))
    const at = this.#failures.findIndex(([failing]) => failing === call)
    if (at >= 0) throw fail(this.#failures.splice(at, 1)[0]![1], call)
  }
}

function refsOf(names: Uint32Array): number[] {
  return [...names.filter((_, i) => i % 2 === 1)]
}

function fail(code: string, call: string): GrantError {
  const errno = -constants.errno[code as keyof typeof constants.errno]
  return new GrantError(code, `${call}: ${code}`, { errno, syscall: call === 'mmap' ? 'mmap' : 'ioctl' })
}
