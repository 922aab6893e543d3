import { describe, expect, it } from 'vitest'
import { MapGuard } from '../../src/drivers/gntdev/map-guard.js'

const PAGE = 4096
const [CLEAR, SEND] = [1, 2]

function setUp() {
  const guard = new MapGuard()
  guard.add(0, 2)
  guard.add(2 * PAGE, 3)
  return guard
}

describe('a map', () => {
  it('may be mapped once, whether that succeeds or not', () => {
    const guard = setUp()
    expect(guard.refusal(0)).toBeUndefined()
    guard.tried(0, 2)
    expect(guard.refusal(0)).toMatch(/once only/)
    expect(guard.refusal(2 * PAGE)).toBeUndefined()
  })

  it('is not used up by an mmap of another length, which finds none', () => {
    const guard = setUp()
    guard.tried(0, 1)
    guard.tried(PAGE, 2)
    expect(guard.refusal(0)).toBeUndefined()
  })

  it('may be mapped again when its index has been given out again', () => {
    const guard = setUp()
    guard.tried(0, 2)
    guard.forget(0)
    guard.add(0, 1)
    expect(guard.refusal(0)).toBeUndefined()
    guard.tried(0, 1)
    expect(guard.refusal(0)).toMatch(/once only/)
  })

  it('may not be mapped while its notification is to clear a byte, any of its bytes and no other map’s', () => {
    for (const [at, first, second] of [
      [0, true, false],
      [2 * PAGE - 1, true, false],
      [2 * PAGE, false, true],
      [5 * PAGE - 1, false, true],
      [5 * PAGE, false, false],
    ] as const) {
      const guard = setUp()
      guard.arm(at, CLEAR | SEND)
      const refused = [guard.refusal(0), guard.refusal(2 * PAGE)].map((reason) => reason !== undefined)
      expect([at, ...refused]).toEqual([at, first, second])
    }
  })

  it('may be mapped when that is replaced, disarmed, or of a map before', () => {
    const guard = setUp()
    guard.arm(0, CLEAR)
    expect(guard.refusal(0)).toMatch(/arm it afterwards/)
    guard.arm(5, SEND)
    expect(guard.refusal(0)).toBeUndefined()
    guard.arm(0, CLEAR)
    guard.arm(0, 0)
    expect(guard.refusal(0)).toBeUndefined()
    guard.arm(0, CLEAR)
    guard.forget(0)
    guard.add(0, 2)
    expect(guard.refusal(0)).toBeUndefined()
  })
})
