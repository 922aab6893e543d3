// Grants that one map of the device does not hold are mapped in several, side by side.
import { describe, expect, it } from 'vitest'
import { PAGE_SIZE } from '../../../src/abi.js'
import type { MapDevice } from '../../../src/drivers/gntdev/map-device.js'
import { GrantError } from '../../../src/errors.js'
import { Mapping } from '../../../src/mapping/worker/mapping.js'

const ADDRESS = 0x10_0000

/** Notes every call, and fails those it is told to. */
class NotingDevice implements MapDevice {
  readonly path = '/dev/noting'
  readonly log: string[] = []
  failing: string | undefined
  /** How often for its limit. */
  asked = 0
  #next = 0

  constructor(readonly max: number | undefined) {}

  #note(call: string): void {
    if (this.failing !== undefined && call.startsWith(this.failing)) {
      this.failing = undefined
      throw new Error(`${call} failed`)
    }
    this.log.push(call)
  }

  map(names: Uint32Array): number {
    const count = names.length / 2
    if (count > (this.max ?? 65_536))
      throw new GrantError('EINVAL', `${count} are too many`, { syscall: 'ioctl' })
    this.#note(`map ${names.filter((_, i) => i % 2 === 1).join(' ')}`)
    // An index of a real device is a place in the file, too.
    const index = this.#next
    this.#next += count * PAGE_SIZE * 10
    return index
  }

  mmap(index: number, count: number, writable: boolean, { address }: { address: number }): void {
    this.#note(`mmap ${index / PAGE_SIZE} ${count} ${writable} at page ${(address - ADDRESS) / PAGE_SIZE}`)
  }

  munmap(address: number, length: number): void {
    this.#note(`munmap page ${(address - ADDRESS) / PAGE_SIZE} ${length / PAGE_SIZE}`)
  }

  unmap(index: number, count: number): void {
    this.#note(`unmap ${index / PAGE_SIZE} ${count}`)
  }

  setUnmapNotify(index: number, action: number, port: number): void {
    this.#note(`notify ${index} ${action} ${port}`)
  }

  copy(): Int16Array {
    return new Int16Array()
  }

  limit(): number | undefined {
    this.asked++
    return this.max
  }

  close(): void {}
}

const names = (count: number): Uint32Array =>
  Uint32Array.from(Array.from({ length: count }, (_, i) => [7, i + 1]).flat())

function mapping(device: MapDevice): Mapping {
  return new Mapping(device, { buffer: new SharedArrayBuffer(0), address: ADDRESS })
}

describe('a mapping', () => {
  it('of as many grants as the driver takes is one map', () => {
    const device = new NotingDevice(4)
    mapping(device).map(names(4), false)
    expect(device.log).toEqual(['map 1 2 3 4', 'mmap 0 4 false at page 0'])
    expect(device.asked, 'the limit is looked at when it is needed').toBe(0)
  })

  it('of more is several, from low to high addresses, and is unmapped as such', () => {
    const device = new NotingDevice(4)
    const all = mapping(device)
    all.map(names(9), true)
    all.release()
    all.release()
    expect(device.log).toEqual([
      'map 1 2 3 4',
      'mmap 0 4 true at page 0',
      'map 5 6 7 8',
      'mmap 40 4 true at page 4',
      'map 9',
      'mmap 80 1 true at page 8',
      'munmap page 0 4',
      'unmap 0 4',
      'munmap page 4 4',
      'unmap 40 4',
      'munmap page 8 1',
      'unmap 80 1',
    ])
  })

  it('is one map where the limit cannot be read', () => {
    const device = new NotingDevice(undefined)
    mapping(device).map(names(100), false)
    expect(device.log).toHaveLength(2)
  })

  it('is several where the limit cannot be read, and is the usual one', () => {
    const device = new NotingDevice(undefined)
    mapping(device).map(names(65_537), false)
    expect(device.log.filter((call) => call.startsWith('mmap'))).toEqual([
      'mmap 0 65536 false at page 0',
      'mmap 655360 1 false at page 65536',
    ])
  })

  it('that is refused for another reason than its size is not tried again', () => {
    const device = new NotingDevice(4)
    let tried = 0
    device.map = () => {
      tried++
      throw new GrantError('EINVAL', 'refused', { syscall: 'ioctl' })
    }
    expect(() => mapping(device).map(names(4), false)).toThrow('refused')
    expect([tried, device.log]).toEqual([1, []])
  })

  it('sends a notification to the map that holds the byte', () => {
    const device = new NotingDevice(4)
    const all = mapping(device)
    all.map(names(9), true)
    device.log.length = 0
    for (const page of [0, 3, 4, 8]) all.setUnmapNotify(page * PAGE_SIZE + 5, 1, 2)
    expect(device.log).toEqual([0, 3, 40, 80].map((page) => `notify ${page * PAGE_SIZE + 5} 1 2`))
  })

  it('whose later part fails gives back what is there, and only that', () => {
    for (const failing of ['map 5', 'mmap 40']) {
      const device = new NotingDevice(4)
      const all = mapping(device)
      device.failing = failing
      expect(() => all.map(names(9), true)).toThrow('failed')
      device.log.length = 0
      all.release()
      const known = failing === 'mmap 40' ? ['unmap 40 4'] : []
      expect(device.log).toEqual(['munmap page 0 4', 'unmap 0 4', ...known])
    }
  })

  it('that cannot be unmapped at one place goes on from there when it is tried again', () => {
    const device = new NotingDevice(4)
    const all = mapping(device)
    all.map(names(9), true)
    device.log.length = 0
    device.failing = 'munmap page 4'
    expect(() => all.release()).toThrow('failed')
    all.release()
    expect(device.log).toEqual([
      'munmap page 0 4',
      'unmap 0 4',
      'munmap page 4 4',
      'unmap 40 4',
      'munmap page 8 1',
      'unmap 80 1',
    ])
  })
})
