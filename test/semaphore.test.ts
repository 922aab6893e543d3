import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { Semaphore } from '../src/semaphore.js'

const never = new AbortController().signal

/** What has become of each `take` so far. */
async function fates(takes: Promise<boolean>[]): Promise<(boolean | 'waiting')[]> {
  const fates: (boolean | 'waiting')[] = takes.map(() => 'waiting')
  for (const [i, take] of takes.entries())
    void take.then((taken) => {
      fates[i] = taken
    })
  await new Promise((resolve) => setImmediate(resolve))
  return fates
}

describe('a semaphore', () => {
  it('hands out its turns, then those that are given back, in the order of asking', async () => {
    const turns = new Semaphore(2)
    const takes = [1, 2, 3, 4].map(() => turns.take(never))
    expect(await fates(takes)).toEqual([true, true, 'waiting', 'waiting'])
    turns.give()
    expect(await fates(takes)).toEqual([true, true, true, 'waiting'])
    turns.give()
    expect(await fates(takes)).toEqual([true, true, true, true])
  })

  it('gives no turn to one that has given up, and loses none', async () => {
    const turns = new Semaphore(1)
    const stop = new AbortController()
    const takes = [turns.take(never), turns.take(never), turns.take(stop.signal), turns.take(never)]
    stop.abort()
    expect(await fates(takes)).toEqual([true, 'waiting', false, 'waiting'])
    for (let i = 0; i < 2; i++) turns.give()
    expect(await fates(takes)).toEqual([true, true, false, true])
    turns.give()
    expect(await turns.take(never)).toBe(true)
    expect(await fates([turns.take(never)]), 'no turn too many').toEqual(['waiting'])
  })

  it('gives none to a signal that has fired, and keeps no listener on one that has not', async () => {
    const turns = new Semaphore(1)
    expect(await turns.take(AbortSignal.abort())).toBe(false)
    const { signal } = new AbortController()
    await turns.take(signal)
    const waiting = turns.take(signal)
    turns.give()
    await waiting
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
  it('gives each of many one, in the order of asking, without a signal: none too many, none lost', async () => {
    const turns = new Semaphore(2)
    const takes = [1, 2, 3, 4, 5].map(() => turns.take(undefined))
    const given = async (): Promise<number> => (await fates(takes)).filter((fate) => fate === true).length
    for (const expected of [2, 3, 4, 5, 5]) {
      expect(await given()).toBe(expected)
      turns.give()
    }
    expect(await fates([1, 2].map(() => turns.take(undefined)))).toEqual([true, true])
  })

  it('loses none to one who stops waiting before a turn is given or in the same turn of the event loop', async () => {
    for (const late of [false, true]) {
      const turns = new Semaphore(1)
      await turns.take(undefined)
      const stop = new AbortController()
      const stopped = turns.take(stop.signal)
      const other = turns.take(undefined)
      if (late) turns.give()
      stop.abort()
      if (!late) turns.give()
      // One that has been given it first keeps it.
      if (await stopped) turns.give()
      expect(await fates([other])).toEqual([true])
      expect(getEventListeners(stop.signal, 'abort')).toEqual([])
    }
  })

  it('takes no turn for a signal that has fired', async () => {
    const turns = new Semaphore(1)
    expect(await turns.take(AbortSignal.abort())).toBe(false)
    expect(await fates([turns.take(undefined)])).toEqual([true])
  })
})
