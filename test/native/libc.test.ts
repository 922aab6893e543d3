import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  addressOf,
  ioctl,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  mmap,
  moveMapping,
  munmap,
  PROT_READ,
  pageSize,
  readingPipe,
  replaceDescriptor,
} from '../../src/native/libc.js'

const PAGE = 4096
const anonymous = { length: PAGE, prot: PROT_READ, flags: MAP_PRIVATE | MAP_ANONYMOUS, what: 'testing' }
const isMapped = (address: number): boolean =>
  readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .map((line) => line.split(/[- ]/).map((word) => Number.parseInt(word, 16)))
    .some(([from, to]) => from! <= address && address < to!)

describe('a call of the C library that fails', () => {
  it.each([
    [
      'mmap of no descriptor',
      () => mmap({ ...anonymous, flags: MAP_SHARED, fd: 1_000_000 }),
      'EBADF',
      'mmap',
    ],
    ['mmap of no bytes', () => mmap({ ...anonymous, length: 0 }), 'EINVAL', 'mmap'],
    ['munmap of half a page', () => munmap(PAGE + 1, PAGE), 'EINVAL', 'munmap'],
    ['mremap of nothing', () => moveMapping(PAGE, PAGE, 2 ** 46, 'moving'), 'EFAULT', 'mremap'],
    ['dup3 of no descriptor', () => replaceDescriptor(1_000_000, 1_000_001), 'EBADF', 'dup3'],
  ])('%s is an error with its errno', (_name, call, code, syscall) => {
    expect(call).toThrow(expect.objectContaining({ name: 'GrantError', code, syscall }))
  })

  it('ioctl answers with the errno', () => {
    expect(ioctl(1_000_000, 0, new DataView(new ArrayBuffer(8)))).toBe(-9)
  })
})

describe('the C library', () => {
  it('maps and unmaps where it says, and moves a mapping to the place of another', () => {
    const [one, other] = [mmap(anonymous), mmap(anonymous)]
    expect([isMapped(one), isMapped(other)]).toEqual([true, true])
    moveMapping(one, PAGE, other, 'moving')
    expect([isMapped(one), isMapped(other)]).toEqual([false, true])
    expect(mmap({ ...anonymous, address: other, flags: anonymous.flags | MAP_FIXED })).toBe(other)
    munmap(other, PAGE)
    expect(isMapped(other)).toBe(false)
  })

  it('knows the size of a page and where bytes are', () => {
    expect(pageSize()).toBe(PAGE)
    const buffer = new SharedArrayBuffer(100)
    expect(addressOf(new Uint8Array(buffer, 7)) - addressOf(new Uint8Array(buffer))).toBe(7)
  })

  it('puts a file in the place of a pipe of which only the reading end is open', () => {
    const descriptors = readdirSync('/proc/self/fd').length
    const pipe = readingPipe()
    expect(readdirSync('/proc/self/fd').length).toBe(descriptors + 1)
    expect(readlinkSync(`/proc/self/fd/${pipe}`)).toMatch(/^pipe:/)
    const fd = openSync('/dev/zero', 'r')
    replaceDescriptor(fd, pipe)
    expect(readlinkSync(`/proc/self/fd/${pipe}`)).toBe('/dev/zero')
    closeSync(fd)
    closeSync(pipe)
  })
})
