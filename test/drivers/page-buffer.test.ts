// The memory under a mapping, with a kernel in which other threads of the process are quick.
import { afterEach, expect, it, vi } from 'vitest'
import { mapZeroPages } from '../../src/drivers/page-buffer.js'
import { systemCallError } from '../../src/errors.js'
import * as libc from '../../src/native/libc.js'

const [ENOMEM, EEXIST] = [12, 17]
const PAGE = 4096
const ADDRESS = 2 ** 40

/** What the next calls of mmap fail with, 0: nothing. */
const outcomes: number[] = []
/** What was done to the address space, in order. */
const calls: string[] = []

// Memory may be promised: the kernel's usual setting.
vi.mock('node:fs', () => ({ readFileSync: () => '0\n' }))
vi.mock('../../src/native/libc.js', async (original) => ({
  ...(await original<typeof libc>()),
  mmap({ address, length, flags, what }: libc.MmapRequest): number {
    const how = flags & libc.MAP_FIXED_NOREPLACE ? 'in a hole' : 'in place'
    calls.push(`mmap ${(address! - ADDRESS) / PAGE}+${length / PAGE} ${how}`)
    const errno = outcomes.shift() ?? 0
    if (errno !== 0) throw systemCallError(errno, 'mmap', what)
    return address!
  },
  munmap(address: number, length: number): void {
    calls.push(`munmap ${(address - ADDRESS) / PAGE}+${length / PAGE}`)
  },
}))

afterEach(() => {
  expect(outcomes).toEqual([])
  calls.length = 0
})

it('zero pages take the place of a mapping, and no other thread can come in between', () => {
  mapZeroPages(ADDRESS, 2 * PAGE)
  expect(calls).toEqual(['mmap 0+2 in place'])
})

it('where the process may have no more mappings, the one that ends makes room', () => {
  outcomes.push(ENOMEM)
  mapZeroPages(ADDRESS, 2 * PAGE)
  expect(calls).toEqual(['mmap 0+2 in place', 'munmap 0+2', 'mmap 0+2 in a hole'])
  mapZeroPages(ADDRESS, 2 * PAGE)
  expect(calls.at(-1)).toBe('mmap 0+2 in place')
})

it('when another thread uses the room that was made, what is tried again replaces nothing of its', () => {
  outcomes.push(ENOMEM, ENOMEM)
  expect(() => mapZeroPages(ADDRESS, 3 * PAGE)).toThrow(expect.objectContaining({ code: 'ENOMEM' }))
  calls.length = 0
  // As mappings that lay side by side are: one by one.
  outcomes.push(EEXIST, 0)
  expect(() => mapZeroPages(ADDRESS, PAGE)).toThrow(expect.objectContaining({ code: 'EEXIST' }))
  mapZeroPages(ADDRESS + PAGE, 2 * PAGE)
  expect(calls).toEqual(['mmap 0+1 in a hole', 'mmap 1+2 in a hole'])
  calls.length = 0
  mapZeroPages(ADDRESS, PAGE)
  mapZeroPages(ADDRESS + PAGE, PAGE)
  expect(calls).toEqual(['mmap 0+1 in a hole', 'mmap 1+1 in place'])
})
