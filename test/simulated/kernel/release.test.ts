import { describe, expect, it } from 'vitest'
import { CLEAR_BYTE, expectZero, makeKernel, PAGE, SEND_EVENT } from '../support.js'

function setUp() {
  const { kernel, memory } = makeKernel()
  const session = kernel.startSession()
  const file = kernel.gntalloc.open(session, 0)
  return { kernel, memory, session, file }
}

describe('the unmap notification', () => {
  it('fires when the last of file and mappings is gone, byte first, before the page is freed', () => {
    const { kernel, memory, session, file } = setUp()
    const port = kernel.domain.bindPort(0)
    kernel.gntalloc.allocate(session, file, 7, 0, 2)
    kernel.gntalloc.setUnmapNotify(session, file, PAGE + 7, CLEAR_BYTE | SEND_EVENT, port)
    const { mapping } = kernel.gntalloc.mmap(session, file, 0, 2)
    kernel.gntalloc.close(session, file)
    kernel.gntalloc.munmap(session, mapping, 1, 1)
    expect(memory).toEqual([])
    expect(kernel.domain.events(0, port)).toBe(0)
    kernel.gntalloc.munmap(session, mapping, 0, 1)
    expect(memory).toEqual(['clear 1+7', 'discard 0x2'])
    expect(kernel.domain.events(0, port)).toBe(1)
    kernel.endSession(session)
    expectZero(kernel)
  })

  it('fires at the end of the session, whatever was open', () => {
    const { kernel, memory, session, file } = setUp()
    const port = kernel.domain.bindPort(0)
    kernel.gntalloc.allocate(session, file, 7, 0, 1)
    kernel.gntalloc.setUnmapNotify(session, file, 0, SEND_EVENT, port)
    kernel.gntalloc.mmap(session, file, 0, 1)
    kernel.gntalloc.mmap(session, file, 0, 1)
    kernel.endSession(session)
    expect(kernel.domain.events(0, port)).toBe(1)
    expect(memory).toEqual(['discard 0x1'])
    expectZero(kernel)
  })

  it.each(['replaced', 'disarmed', 'fired'])('that is %s keeps its port no longer', (how) => {
    const { kernel, session, file } = setUp()
    const events = kernel.evtchn.open(session, 0)
    const port = kernel.evtchn.bindUnbound(session, events, 7)
    const other = kernel.evtchn.bindUnbound(session, events, 7)
    kernel.gntalloc.allocate(session, file, 7, 0, 1)
    kernel.gntalloc.setUnmapNotify(session, file, 0, SEND_EVENT, port)
    for (const bound of [port, other]) kernel.evtchn.unbind(session, events, bound)
    expect(kernel.counters()).toMatchObject({ ports: 1 })
    if (how === 'fired') kernel.gntalloc.deallocate(session, file, 0, 1)
    else kernel.gntalloc.setUnmapNotify(session, file, 0, how === 'replaced' ? CLEAR_BYTE : 0, 0)
    expect(kernel.counters()).toMatchObject({ ports: 0 })
    kernel.endSession(session)
    expectZero(kernel)
  })

  it('keeps its port, which is no longer told of anything when it has been unbound', () => {
    const { kernel, session, file } = setUp()
    const [events, peer] = [kernel.evtchn.open(session, 0), kernel.evtchn.open(session, 7)]
    const port = kernel.evtchn.bindUnbound(session, events, 7)
    const other = kernel.evtchn.bindInterdomain(session, peer, 0, port)
    kernel.gntalloc.allocate(session, file, 7, 0, 1)
    kernel.gntalloc.setUnmapNotify(session, file, 0, SEND_EVENT, port)
    kernel.evtchn.unbind(session, events, port)
    kernel.evtchn.notify(session, peer, other)
    expect(kernel.evtchn.read(session, events)).toEqual([])
    // What it is kept for still goes the other way.
    kernel.evtchn.read(session, peer)
    kernel.evtchn.unmask(session, peer, [other])
    kernel.gntalloc.deallocate(session, file, 0, 1)
    expect(kernel.evtchn.read(session, peer)).toEqual([other])
    kernel.endSession(session)
    expectZero(kernel)
  })
})
