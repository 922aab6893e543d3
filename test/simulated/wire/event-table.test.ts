import { describe, expect, it, vi } from 'vitest'
import {
  EventTable,
  firstAddress,
  MAX_FILES,
  PORTS_PER_FILE,
  tableWords,
} from '../../../dist/src/simulated/wire/event-table.js'

const FILES = 3
const port = firstAddress(1) + 7
const other = firstAddress(2) + 1

function setUp(): EventTable {
  const table = new EventTable(new Int32Array(tableWords(FILES)))
  table.bind(port)
  return table
}

describe('a port in the table', () => {
  it('is put into its ring once until it is unmasked, and what comes meanwhile is one event', () => {
    const table = setUp()
    expect([table.raise(port), table.raise(port), table.raise(port)]).toEqual([true, false, false])
    expect([table.take(port), table.take(port)]).toEqual([true, false])
    expect(table.raise(port)).toBe(false)
    expect([table.unmask(port), table.take(port), table.unmask(port)]).toEqual([true, true, false])
    expect([table.unmask(port), table.raise(port)]).toEqual([false, true])
  })

  it('does not fire while it is not bound, nor for what came before', () => {
    const table = setUp()
    expect(table.raise(other)).toBe(false)
    table.raise(port)
    table.raise(port)
    table.unbind(port)
    expect([table.isBound(port), table.raise(port), table.unmask(port)]).toEqual([false, false, false])
    expect(table.take(port), 'the ring still names it').toBe(true)
    table.bind(port)
    expect([table.take(port), table.unmask(port), table.raise(port)]).toEqual([false, false, true])
  })

  it('is named once by a ring that has it from before it was unbound', () => {
    const table = setUp()
    table.raise(port)
    table.unbind(port)
    table.bind(port)
    expect(table.raise(port)).toBe(false)
    expect(table.take(port)).toBe(true)
    table.unmask(port)
    expect(table.raise(port)).toBe(true)
  })

  it('counts what is sent through it, from its binding on', () => {
    const table = setUp()
    for (let times = 0; times < 3; times++) table.count(port)
    expect([table.sent(port), table.sent(other)]).toEqual([3, 0])
    table.unbind(port)
    table.bind(port)
    expect(table.sent(port)).toBe(0)
  })

  it('has the other end that it was given, and none that cannot be', () => {
    const table = setUp()
    table.connect(port, other)
    expect(table.peerOf(port)).toBe(other)
    for (const impossible of [0, -1, MAX_FILES * PORTS_PER_FILE]) {
      table.connect(port, impossible)
      expect(table.peerOf(port)).toBe(0)
    }
    table.connect(port, other)
    table.unbind(port)
    table.bind(port)
    expect(table.peerOf(port)).toBe(0)
  })
})

describe('a table', () => {
  it('has a ring for each file', () => {
    const table = setUp()
    table.setRing(1, 90)
    table.setRing(2, 91)
    expect([port, firstAddress(1) + PORTS_PER_FILE - 1, other].map((one) => table.ringOf(one))).toEqual([
      90, 90, 91,
    ])
  })

  it('forgets what the ring of one file has named, and nothing of others', () => {
    const table = setUp()
    const last = firstAddress(1) + PORTS_PER_FILE - 1
    for (const address of [last, other]) table.bind(address)
    for (const address of [port, last, other]) table.raise(address)
    table.takeAll(1)
    expect([port, last, other].map((address) => table.take(address))).toEqual([false, false, true])
    expect(table.raise(port), 'still masked').toBe(false)
  })

  it('knows for each call by itself whether a failure is ordered', () => {
    const table = setUp()
    table.order('evtchn.read', true)
    table.order('evtchn.notify', true)
    table.order('evtchn.notify', false)
    const ordered = (['evtchn.notify', 'evtchn.unmask', 'evtchn.read', 'evtchn.reset'] as const).map((call) =>
      table.isOrdered(call),
    )
    expect(ordered).toEqual([false, false, true, false])
    expect(table.isBound(port)).toBe(true)
  })
})

/**
 * Has `other` done in the middle of `work`, as by another thread: between looking at a state and changing it.
 * @returns what both say, `other` first
 */
function meanwhile(work: () => boolean, other: () => boolean): [boolean, boolean] {
  const { load } = Atomics
  let first = false
  const interrupted = (words: Int32Array, at: number): number => {
    const value = load(words, at)
    first = other()
    return value
  }
  const spy = vi.spyOn(Atomics, 'load').mockImplementationOnce(interrupted as never)
  try {
    const second = work()
    return [first, second]
  } finally {
    spy.mockRestore()
  }
}

describe('what two threads do to a port at once', () => {
  it('loses no event when one notifies while the other unmasks', () => {
    const table = setUp()
    const raise = () => table.raise(port)
    const unmask = () => table.unmask(port)
    raise()
    table.take(port)
    expect(meanwhile(unmask, raise), 'masked until it is unmasked').toEqual([false, true])
    table.take(port)
    expect(meanwhile(raise, unmask), 'no longer masked').toEqual([false, true])
  })

  it('puts it into its ring once when both notify', () => {
    const table = setUp()
    const raise = () => table.raise(port)
    expect(meanwhile(raise, raise)).toEqual([true, false])
    expect([table.take(port), table.unmask(port)]).toEqual([true, true])
  })
})
