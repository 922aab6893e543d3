import { describe, expect, it } from 'vitest'
import { CLEAR_BYTE, expectZero, makeKernel, PAGE, SEND_EVENT } from './support.js'

function setUp() {
  const { kernel, memory } = makeKernel()
  const session = kernel.startSession()
  const file = kernel.open(session)
  return { kernel, memory, session, file }
}

describe('deallocate', () => {
  it('takes any run of pages of the file, also over several allocations', () => {
    const { kernel, memory, session, file } = setUp()
    kernel.allocate(session, file, 7, 0, 3)
    kernel.allocate(session, file, 8, 0, 3)
    kernel.deallocate(session, file, 2 * PAGE, 2)
    expect(kernel.counters()).toMatchObject({ grants: 4, tableUsed: 4 })
    expect(memory).toEqual(['discard 2x2'])
    kernel.endSession(session)
    expectZero(kernel)
  })

  it('refuses holes, strangers, unaligned indexes, what is gone, and nothing at all', () => {
    const { kernel, session, file } = setUp()
    kernel.allocate(session, file, 7, 0, 4)
    kernel.deallocate(session, file, PAGE, 1)
    const wrong = [
      [0, 3],
      [1, 1],
      [PAGE, 1],
      [2 * PAGE, 3],
      [4 * PAGE, 1],
      [0, 0],
    ] as const
    for (const [index, count] of wrong)
      expect(() => kernel.deallocate(session, file, index, count), `${index} ${count}`).toThrow(
        expect.objectContaining({ code: 'EINVAL', syscall: 'ioctl' }),
      )
    const stranger = kernel.open(session)
    expect(() => kernel.deallocate(session, stranger, 0, 1)).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    )
    expect(kernel.counters()).toMatchObject({ grants: 3 })
    kernel.endSession(session)
    expectZero(kernel)
  })

  it('leaves a mapped page granted until the mapping goes, but it can be neither mapped nor freed again', () => {
    const { kernel, session, file } = setUp()
    kernel.allocate(session, file, 7, 0, 1)
    const { mapping } = kernel.mmap(session, file, 0, 1)
    kernel.deallocate(session, file, 0, 1)
    expect(kernel.counters()).toMatchObject({ grants: 1, pages: 1, mappings: 1 })
    expect(() => kernel.mmap(session, file, 0, 1)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
    expect(() => kernel.setUnmapNotify(session, file, 0, 0, 0)).toThrow(
      expect.objectContaining({ code: 'ENOENT' }),
    )
    expect(() => kernel.deallocate(session, file, 0, 1)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    kernel.munmap(session, mapping, 0, 1)
    expect(kernel.counters()).toMatchObject({ grants: 0, tableUsed: 0 })
    kernel.endSession(session)
    expectZero(kernel)
  })
})

describe('mmap and munmap', () => {
  it('maps any run, twice too, and only what is there', () => {
    const { kernel, session, file } = setUp()
    kernel.allocate(session, file, 7, 0, 4)
    expect([...kernel.mmap(session, file, PAGE, 2).frames]).toEqual([1, 2])
    expect([...kernel.mmap(session, file, PAGE, 2).frames]).toEqual([1, 2])
    expect(() => kernel.mmap(session, file, 3 * PAGE, 2)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
    expect(() => kernel.mmap(session, file, 1, 1)).toThrow(
      expect.objectContaining({ code: 'EINVAL', syscall: 'mmap' }),
    )
    kernel.endSession(session)
    expectZero(kernel)
  })

  it('lets go of a mapping only with its last piece', () => {
    const { kernel, memory, session, file } = setUp()
    kernel.allocate(session, file, 7, 0, 4)
    const { mapping } = kernel.mmap(session, file, 0, 4)
    kernel.deallocate(session, file, 0, 4)
    kernel.munmap(session, mapping, 1, 2)
    kernel.munmap(session, mapping, 3, 1)
    expect(() => kernel.munmap(session, mapping, 0, 2)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    expect(kernel.counters()).toMatchObject({ grants: 4, mappings: 1 })
    expect(memory).toEqual([])
    kernel.munmap(session, mapping, 0, 1)
    expect(memory).toEqual(['discard 0x4'])
    kernel.endSession(session)
    expectZero(kernel)
  })
})

describe('the unmap notification', () => {
  it('fires when the last of file and mappings is gone, byte first, before the page is freed', () => {
    const { kernel, memory, session, file } = setUp()
    const port = kernel.bindPort()
    kernel.allocate(session, file, 7, 0, 2)
    kernel.setUnmapNotify(session, file, PAGE + 7, CLEAR_BYTE | SEND_EVENT, port)
    const { mapping } = kernel.mmap(session, file, 0, 2)
    kernel.close(session, file)
    kernel.munmap(session, mapping, 1, 1)
    expect(memory).toEqual([])
    expect(kernel.events(port)).toBe(0)
    kernel.munmap(session, mapping, 0, 1)
    expect(memory).toEqual(['clear 1+7', 'discard 0x2'])
    expect(kernel.events(port)).toBe(1)
    kernel.endSession(session)
    expectZero(kernel)
  })

  it('is one per page, the last one set, and action 0 disarms', () => {
    const { kernel, memory, session, file } = setUp()
    kernel.allocate(session, file, 7, 0, 3)
    kernel.setUnmapNotify(session, file, 1, CLEAR_BYTE, 0)
    kernel.setUnmapNotify(session, file, 2, CLEAR_BYTE, 0)
    kernel.setUnmapNotify(session, file, PAGE, CLEAR_BYTE, 0)
    kernel.setUnmapNotify(session, file, 2 * PAGE, CLEAR_BYTE, 0)
    kernel.setUnmapNotify(session, file, 2 * PAGE, 0, 0)
    kernel.close(session, file)
    expect(memory).toEqual(['clear 0+2', 'clear 1+0', 'discard 0x3'])
    kernel.endSession(session)
    expectZero(kernel)
  })

  it('is refused for an unknown page, then an unknown action, then an unbound port', () => {
    const { kernel, session, file } = setUp()
    kernel.allocate(session, file, 7, 0, 1)
    const codeOf = (index: number, action: number, port: number) => {
      try {
        kernel.setUnmapNotify(session, file, index, action, port)
      } catch (error) {
        return (error as NodeJS.ErrnoException).code
      }
      return 'none'
    }
    expect(codeOf(PAGE, 8, 99)).toBe('ENOENT')
    expect(codeOf(PAGE - 1, 8 | SEND_EVENT, 99)).toBe('EINVAL')
    expect(codeOf(0, SEND_EVENT, 99)).toBe('EINVAL')
    expect(codeOf(0, CLEAR_BYTE, 99)).toBe('none')
    kernel.endSession(session)
    expectZero(kernel)
  })

  it('fires at the end of the session, whatever was open', () => {
    const { kernel, memory, session, file } = setUp()
    const port = kernel.bindPort()
    kernel.allocate(session, file, 7, 0, 1)
    kernel.setUnmapNotify(session, file, 0, SEND_EVENT, port)
    kernel.mmap(session, file, 0, 1)
    kernel.mmap(session, file, 0, 1)
    kernel.endSession(session)
    expect(kernel.events(port)).toBe(1)
    expect(memory).toEqual(['discard 0x1'])
    expectZero(kernel)
  })
})
