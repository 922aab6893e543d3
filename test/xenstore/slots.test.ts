import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { Slots } from '../../src/xenstore/slots.js'

/** How many of these have been given one by now. */
async function given(takes: Promise<void>[]): Promise<number> {
  let count = 0
  for (const take of takes)
    take.then(
      () => count++,
      () => {},
    )
  await new Promise((resolve) => setImmediate(resolve))
  return count
}

describe('slots', () => {
  it('are given one each, in the order of asking', async () => {
    const slots = new Slots(2)
    const takes = [1, 2, 3, 4, 5].map(() => slots.take(undefined))
    for (const expected of [2, 3, 4, 5, 5]) {
      expect(await given(takes)).toBe(expected)
      slots.give()
    }
    expect(await given([1, 2].map(() => slots.take(undefined))), 'none too many, none lost').toBe(2)
  })

  it('are not lost to who stops waiting, before a slot is given or in the same turn', async () => {
    const reason = new Error('enough')
    for (const late of [false, true]) {
      const slots = new Slots(1)
      await slots.take(undefined)
      const stop = new AbortController()
      const stopped = slots.take(stop.signal)
      const other = slots.take(undefined)
      if (late) slots.give()
      stop.abort(reason)
      if (!late) slots.give()
      // One that has been given it first may keep it.
      const outcome = await stopped.then(
        () => 'given',
        (error) => error,
      )
      if (outcome === 'given') slots.give()
      else expect(outcome).toBe(reason)
      expect(await given([other])).toBe(1)
      expect(getEventListeners(stop.signal, 'abort')).toEqual([])
    }
  })

  it('are not waited for with a signal that has fired', async () => {
    const slots = new Slots(1)
    await expect(slots.take(AbortSignal.abort(new Error('no')))).rejects.toThrow('no')
    expect(await given([slots.take(undefined)])).toBe(1)
  })
})
