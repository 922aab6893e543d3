import { describe, expect, it } from 'vitest'
import { expectZero, failing, makeKernel, PAGE, pairs, WRITABLE } from '../support.js'

function setUp() {
  const { kernel, memory } = makeKernel()
  const session = kernel.startSession()
  const grants = kernel.gntalloc.open(session, 0)
  const { refs } = kernel.gntalloc.allocate(session, grants, 7, WRITABLE, 20)
  const file = kernel.gntdev.open(session, 7)
  const map = (count: number) => kernel.gntdev.map(session, file, pairs(refs.subarray(0, count)))
  return { kernel, memory, session, file, map }
}

describe('a file of the mapping device', () => {
  it('gives a map the first gap that is larger than it, or the end', () => {
    const { kernel, session, file, map } = setUp()
    expect([map(1), map(3), map(2)]).toEqual([0, PAGE, 4 * PAGE])
    kernel.gntdev.unmap(session, file, PAGE, 3)
    expect(map(3), 'it would fill the gap exactly').toBe(6 * PAGE)
    expect(map(2)).toBe(PAGE)
    kernel.gntdev.unmap(session, file, 0, 1)
    expect(map(1), 'a gap of one page is not larger').toBe(9 * PAGE)
    kernel.endSession(session)
    expectZero(kernel)
  })

  it('sends the event of a map that was never mapped, but clears nothing', () => {
    const { kernel, memory, session, file, map } = setUp()
    const index = map(1)
    const events = kernel.evtchn.open(session, 7)
    const port = kernel.evtchn.bindUnbound(session, events, 7)
    const other = kernel.evtchn.bindInterdomain(session, events, 7, port)
    kernel.evtchn.read(session, events)
    kernel.gntdev.setUnmapNotify(session, file, index, 3, other)
    kernel.gntdev.unmap(session, file, index, 1)
    expect(kernel.evtchn.read(session, events)).toEqual([port])
    expect(memory).toEqual([])
    kernel.endSession(session)
    expectZero(kernel)
  })

  it('takes no call that is meant for another device', () => {
    const { kernel, session, file } = setUp()
    expect(() => kernel.gntalloc.allocate(session, file, 7, 0, 1)).toThrow(failing('EBADF'))
    expect(() => kernel.evtchn.read(session, file)).toThrow(failing('EBADF'))
    expect(() => kernel.gntdev.unmap(session, 999, 0, 1)).toThrow(failing('EBADF'))
    expect(() => kernel.evtchn.join(session, file)).toThrow(failing('EBADF', 'open'))
  })
})
