import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import { onAbort, untilAborted } from '../src/abort.js'

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length

it('a signal has one listener, however many wait for it, and none when nobody does', () => {
  const { signal } = new AbortController()
  const takeBack = Array.from({ length: 1000 }, () => onAbort(signal, () => {}))
  expect(listeners(signal)).toBe(1)
  for (const one of takeBack) one()
  for (const one of takeBack) one()
  expect(listeners(signal)).toBe(0)
  onAbort(signal, () => {})()
  expect(listeners(signal)).toBe(0)
})

it('tells everybody once, in order, also the same function twice, and nobody who has taken it back', () => {
  const controller = new AbortController()
  const told: string[] = []
  const a = (): void => void told.push('a')
  onAbort(controller.signal, a)
  onAbort(controller.signal, a)
  const b = onAbort(controller.signal, () => told.push('b'))
  // One that is told takes back another.
  onAbort(controller.signal, () => d())
  const d = onAbort(controller.signal, () => told.push('d'))
  b()
  controller.abort()
  expect(told).toEqual(['a', 'a'])
  expect(listeners(controller.signal)).toBe(0)
})

it('does not stand in the way of listeners of the user’s own', () => {
  const controller = new AbortController()
  let heard = 0
  controller.signal.addEventListener('abort', () => heard++)
  onAbort(controller.signal, () => {})()
  controller.abort()
  expect(heard).toBe(1)
})

it('waits for a promise or the signal, and leaves no listener in either case', async () => {
  const controller = new AbortController()
  const { signal } = controller
  expect(await untilAborted(Promise.resolve(3), signal)).toBe(3)
  await expect(untilAborted(Promise.reject(new Error('own')), signal)).rejects.toThrow('own')
  const waiting = untilAborted(new Promise(() => {}), signal)
  expect(listeners(signal)).toBe(1)
  controller.abort(new Error('reason'))
  await expect(waiting).rejects.toThrow('reason')
  expect(listeners(signal)).toBe(0)
  await expect(untilAborted(new Promise(() => {}), signal)).rejects.toThrow('reason')
})
