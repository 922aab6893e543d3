import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import { untilAborted } from '../src/abort.js'

it('a promise that is waited for with a signal leaves no listener, whichever comes first', async () => {
  const stop = new AbortController()
  for (let i = 0; i < 1000; i++) expect(await untilAborted(Promise.resolve(i), stop.signal)).toBe(i)
  await expect(untilAborted(Promise.reject(new Error('broke')), stop.signal)).rejects.toThrow('broke')
  expect(getEventListeners(stop.signal, 'abort')).toEqual([])
  const reason = new Error('enough')
  const waiting = untilAborted(new Promise(() => {}), stop.signal)
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(1)
  stop.abort(reason)
  await expect(waiting).rejects.toBe(reason)
  expect(getEventListeners(stop.signal, 'abort')).toEqual([])
  await expect(untilAborted(Promise.resolve(1), stop.signal)).rejects.toBe(reason)
  expect(await untilAborted(Promise.resolve(1), undefined)).toBe(1)
})
