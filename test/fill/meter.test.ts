import { afterEach, beforeEach, expect, it, vi } from 'vitest'

const time = vi.hoisted(() => ({ now: 0 }))
vi.mock('node:perf_hooks', () => ({ performance: { now: () => time.now } }))

import { FillMeter } from '../../src/fill/meter.js'

let meter: FillMeter
beforeEach(() => {
  time.now = 1000
  meter = new FillMeter()
})
afterEach(() => vi.restoreAllMocks())

const result = (bytes: number, milliseconds: number) => ({ bytes, slices: 1, milliseconds })

it('takes the rate over the time in which something was filled, not over the sum of all times', () => {
  for (let i = 0; i < 10; i++) meter.begin()
  time.now += 100
  for (let i = 0; i < 10; i++) meter.end(result(1000, 100))
  time.now += 5000
  expect(meter.stats()).toEqual({ count: 10, bytes: 10_000, milliseconds: 1000, bytesPerSecond: 100_000 })
})

it('counts the time of what overlaps once, whatever ends first', () => {
  meter.begin()
  time.now += 50
  meter.begin()
  time.now += 50
  meter.end(result(500, 100))
  time.now += 100
  meter.end(result(500, 150))
  expect(meter.stats()).toMatchObject({ count: 2, bytes: 1000, bytesPerSecond: 5000 })
})

it('counts no bytes of what has failed, but its time', () => {
  meter.begin()
  time.now += 100
  meter.end(undefined)
  meter.begin()
  time.now += 100
  meter.end(result(100, 100))
  expect(meter.stats()).toEqual({ count: 1, bytes: 100, milliseconds: 100, bytesPerSecond: 500 })
})

it('counts what goes on, and nothing before the first', () => {
  expect(meter.stats().bytesPerSecond).toBe(0)
  meter.begin()
  meter.begin()
  time.now += 100
  meter.end(result(100, 100))
  expect(meter.stats().bytesPerSecond).toBe(1000)
})
