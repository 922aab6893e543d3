// What event channel files share with programs, which notify past the kernel.
import { describe, expect, it } from 'vitest'
import { type EventMemory, localEventMemory } from '../../../dist/src/simulated/kernel/event-memory.js'
import { firstAddress } from '../../../dist/src/simulated/wire/event-table.js'
import { expectZero, failing, makeKernel, SEND_EVENT } from '../support.js'

/** Two domains with a channel between them, the first event of which has been taken. */
function setUp() {
  const events = localEventMemory()
  const { kernel } = makeKernel({ events })
  const { evtchn } = kernel
  const [here, there] = [0, 7].map((domid) => {
    const session = kernel.startSession()
    return { session, file: evtchn.open(session, domid) }
  }) as [Opened, Opened]
  const port = evtchn.bindUnbound(here.session, here.file, 7)
  const peerPort = evtchn.bindInterdomain(there.session, there.file, 0, port)
  const addressOf = ({ session, file }: Opened, number: number): number =>
    firstAddress(evtchn.placeOf(session, file)) + number
  const read = ({ session, file }: Opened): number[] => {
    const ports = evtchn.read(session, file)
    evtchn.unmask(session, file, ports)
    return ports
  }
  read(there)
  return { kernel, evtchn, table: events.table, here, there, port, peerPort, addressOf, read }
}

interface Opened {
  session: ReturnType<ReturnType<typeof makeKernel>['kernel']['startSession']>
  file: number
}

describe('a program that has ended in the middle of a notification', () => {
  it('has its event delivered, also if no ring names it yet', () => {
    const { kernel, table, here, there, port, addressOf, read } = setUp()
    expect(table.raise(addressOf(here, port))).toBe(true)
    expect(read(here), 'not in the ring').toEqual([])
    kernel.endSession(there.session)
    expect(read(here)).toEqual([port])
    kernel.endSession(here.session)
    expectZero(kernel)
  })

  it('has it delivered once, and none that has been', () => {
    const { kernel, evtchn, here, there, port, peerPort, read } = setUp()
    evtchn.notify(there.session, there.file, peerPort)
    kernel.endSession(there.session)
    expect(read(here)).toEqual([port])
    const again = { session: kernel.startSession(), file: 0 }
    again.file = evtchn.open(again.session, 7)
    evtchn.bindInterdomain(again.session, again.file, 0, port)
    kernel.endSession(again.session)
    expect(read(here)).toEqual([])
  })
})

describe('the place of a file', () => {
  it('has nothing of a file that had it before', () => {
    const { kernel, evtchn, here, there, port, peerPort, read } = setUp()
    evtchn.notify(here.session, here.file, port)
    evtchn.close(there.session, there.file)
    const next = { session: there.session, file: evtchn.open(there.session, 7) }
    expect(evtchn.placeOf(next.session, next.file)).toBe(2)
    expect(evtchn.bindInterdomain(next.session, next.file, 0, port)).toBe(peerPort)
    expect(read(next)).toEqual([peerPort])
    evtchn.notify(here.session, here.file, port)
    expect(read(next)).toEqual([peerPort])
    for (const { session } of [here, there]) kernel.endSession(session)
    expectZero(kernel)
  })

  it('is where the other end finds a port, for as long as it is bound', () => {
    const { kernel, evtchn, table, here, there, port, peerPort, addressOf } = setUp()
    expect(table.peerOf(addressOf(here, port))).toBe(addressOf(there, peerPort))
    expect(table.peerOf(addressOf(there, peerPort))).toBe(addressOf(here, port))
    evtchn.unbind(there.session, there.file, peerPort)
    expect(table.peerOf(addressOf(here, port))).toBe(0)
    const again = evtchn.bindInterdomain(there.session, there.file, 0, port)
    const address = addressOf(there, again)
    expect(table.peerOf(addressOf(here, port))).toBe(address)
    expect(table.ringOf(address)).toBe(2)
    kernel.endSession(there.session)
    expect(table.peerOf(addressOf(here, port))).toBe(0)
    expect(table.ringOf(address)).toBe(0)
  })

  it('is no longer one for events of a port that only a notification keeps', () => {
    const { kernel, evtchn, table, here, there, port, peerPort, addressOf } = setUp()
    const grants = kernel.gntalloc.open(there.session, 7)
    kernel.gntalloc.allocate(there.session, grants, 0, 0, 1)
    kernel.gntalloc.setUnmapNotify(there.session, grants, 0, SEND_EVENT, peerPort)
    for (let times = 0; times < 2; times++) table.count(addressOf(there, peerPort))
    evtchn.unbind(there.session, there.file, peerPort)
    expect(table.peerOf(addressOf(here, port))).toBe(0)
    expect(kernel.domain.events(7, peerPort), 'what its program has sent').toBe(2)
    kernel.gntalloc.deallocate(there.session, grants, 0, 1)
    expect(evtchn.read(here.session, here.file)).toEqual([port])
    for (const { session } of [here, there]) kernel.endSession(session)
    expectZero(kernel)
  })
})

describe('opening', () => {
  const open = (events: EventMemory, reserve = events.reserve) => {
    const { kernel } = makeKernel({ events: { ...events, files: 3, advice: 'enlarge it', reserve } })
    const session = kernel.startSession()
    return { kernel, session, open: () => kernel.evtchn.open(session, 0) }
  }

  it('fails with ENFILE while as many files are open as there is room for', () => {
    const { kernel, session, open: another } = open(localEventMemory())
    const [first] = [another(), another()]
    expect(another).toThrow(failing('ENFILE', 'open'))
    kernel.evtchn.close(session, first)
    another()
    expect(another).toThrow(failing('ENFILE', 'open'))
    kernel.endSession(session)
    expectZero(kernel)
  })

  it('fails with ENOMEM while there is no memory, and says what to do', () => {
    const room = [false, true]
    const { kernel, open: another } = open(localEventMemory(), () => room.shift() ?? true)
    expect(another).toThrow(
      expect.objectContaining({ code: 'ENOMEM', message: expect.stringContaining('enlarge it') }),
    )
    for (let times = 0; times < 2; times++) another()
    expect(kernel.counters()).toMatchObject({ files: 2 })
  })
})
