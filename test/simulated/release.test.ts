import { describe, expect, it } from 'vitest'
import { CLEAR_BYTE, expectZero, makeKernel, PAGE, SEND_EVENT } from './support.js'

function setUp() {
  const { kernel, memory } = makeKernel()
  const session = kernel.startSession()
  const file = kernel.open(session)
  return { kernel, memory, session, file }
}

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
