import { expect, it } from 'vitest'
import { ratesBetween } from '../../src/cli/top/rates.js'
import { received, type Seen } from '../../src/cli/top/received.js'

function seen(time: number, count: number, paths: Record<string, number> = {}): Seen {
  const streams = Object.entries(paths).map(([path, bytes]) => ({
    domid: 7,
    path: path.replace(/#\d$/, ''),
    bytesRead: bytes,
    bytesWritten: 2 * bytes,
  }))
  const server = { operations: 2 * count, shareLatency: { count }, fills: { count: 0, bytes: 1024 * count } }
  return received(JSON.stringify({ version: 1, time, servers: [server, server], streams }))
}

it('rates are of all servers together, by the clock of the process', () => {
  expect(ratesBetween(seen(1000, 10), seen(3000, 20))).toMatchObject({
    operations: 20,
    shares: 10,
    fills: 0,
    bytesFilled: 10240,
  })
})

it('there are none without an earlier snapshot, or of the same moment', () => {
  expect(ratesBetween(undefined, seen(1000, 1))).toBeUndefined()
  expect(ratesBetween(seen(1000, 1), seen(1000, 2))).toBeUndefined()
})

it('what counts from the beginning again has gone on by nothing', () => {
  expect(ratesBetween(seen(1000, 100), seen(2000, 3))).toMatchObject({ operations: 0, shares: 0 })
})

it('streams are compared with themselves: by path, and of the same path by age; a new one has no rate yet', () => {
  const rates = ratesBetween(
    seen(1000, 0, { a: 10, 'b#1': 100, 'b#2': 200 }),
    seen(2000, 0, { 'b#1': 150, 'b#2': 300, c: 5 }),
  )
  expect(rates?.streams).toEqual([{ read: 50, written: 100 }, { read: 100, written: 200 }, undefined])
})
