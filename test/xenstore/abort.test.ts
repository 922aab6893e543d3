import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import { MessageType } from '../../src/drivers/xenbus/wire.js'
import { rejection } from '../setup/xen.js'
import { useConnection } from './fixtures/connected.js'

const connected = useConnection()
const reason = new Error('enough')

it('an aborted request rejects at once and still takes its own answer', async () => {
  const { store, peer } = await connected()
  const stop = new AbortController()
  const aborted = rejection(store.read('/aborted', { signal: stop.signal }))
  const read = store.readText('/read')
  const requests = [await peer.request(), await peer.request()]
  stop.abort(reason)
  expect(await aborted).toBe(reason)
  peer.reply(requests[0]!, 'one')
  peer.reply(requests[1]!, 'two')
  expect(await read).toBe('two')
  await store.close()
})

it('an aborted request that is refused late says so to nobody', async () => {
  const { store, peer } = await connected()
  const stop = new AbortController()
  const aborted = rejection(store.write('/a', '', { signal: stop.signal }))
  const request = await peer.request()
  stop.abort(reason)
  expect(await aborted).toBe(reason)
  peer.refuse(request, 'EACCES')
  const read = store.read('/a')
  peer.reply(await peer.request(), '')
  await read
  await store.close()
})

it('one that still waited for its turn is never sent', async () => {
  const { store, peer } = await connected({ window: 1 })
  const stop = new AbortController()
  const first = store.readText('/first')
  const aborted = rejection(store.write('/aborted', '', { signal: stop.signal }))
  const last = store.readText('/last')
  const request = await peer.request()
  stop.abort(reason)
  expect(await aborted).toBe(reason)
  peer.reply(request, '1')
  const next = await peer.request()
  expect(next.payload.toString()).toBe('/last\0')
  peer.reply(next, '2')
  expect([await first, await last]).toEqual(['1', '2'])
  await store.close()
})

it('an aborted one keeps its place in the window until its answer has come', async () => {
  const { store, peer } = await connected({ window: 1 })
  const stop = new AbortController()
  const aborted = rejection(store.read('/aborted', { signal: stop.signal }))
  const request = await peer.request()
  stop.abort(reason)
  await aborted
  const read = store.readText('/read')
  await new Promise((resolve) => setImmediate(resolve))
  expect(peer.arrived).toBe(0)
  peer.reply(request, 'late')
  const next = await peer.request()
  peer.reply(next, 'mine')
  expect(await read).toBe('mine')
  await store.close()
})

it('a transaction that begins after its abort is ended undone, and its place is free then', async () => {
  const { store, peer } = await connected({ maxTransactions: 1 })
  const stop = new AbortController()
  const aborted = rejection(store.transaction(() => {}, { signal: stop.signal }))
  const start = await peer.request(MessageType.transactionStart)
  stop.abort(reason)
  expect(await aborted).toBe(reason)
  const second = store.transaction(() => {})
  peer.reply(start, '17\0')
  const end = await peer.request(MessageType.transactionEnd)
  expect([end.transactionId, end.payload.toString()]).toEqual([17, 'F\0'])
  expect(peer.arrived).toBe(0)
  peer.reply(end)
  peer.reply(await peer.request(MessageType.transactionStart), '18\0')
  peer.reply(await peer.request(MessageType.transactionEnd))
  await second
  await store.close()
})

it('an aborted transaction rejects before it has been undone, and keeps its place until then', async () => {
  const { store, peer } = await connected({ maxTransactions: 1 })
  const stop = new AbortController()
  const aborted = rejection(store.transaction(() => new Promise(() => {}), { signal: stop.signal }))
  peer.reply(await peer.request(MessageType.transactionStart), '1\0')
  // Until the answer has come.
  const read = store.read('/a')
  peer.reply(await peer.request(MessageType.read), '')
  await read
  stop.abort(reason)
  expect(await aborted).toBe(reason)
  const second = store.transaction(() => 'second')
  const end = await peer.request(MessageType.transactionEnd)
  expect([end.payload.toString(), peer.arrived]).toEqual(['F\0', 0])
  peer.reply(end)
  peer.reply(await peer.request(MessageType.transactionStart), '2\0')
  peer.reply(await peer.request(MessageType.transactionEnd))
  expect(await second).toBe('second')
  await store.close()
})

it('an abort during the commit comes too late', async () => {
  const { store, peer } = await connected()
  const stop = new AbortController()
  const transaction = store.transaction(() => 'result', { signal: stop.signal })
  peer.reply(await peer.request(MessageType.transactionStart), '1\0')
  const end = await peer.request(MessageType.transactionEnd)
  stop.abort(reason)
  peer.reply(end)
  expect(await transaction).toBe('result')
  await store.close()
})

it('one signal may end thousands of calls, without a warning of listeners', async () => {
  const { store } = await connected()
  const warnings: Error[] = []
  const warned = (warning: Error) => warnings.push(warning)
  process.on('warning', warned)
  const stop = new AbortController()
  const { signal } = stop
  const calls = Array.from({ length: 1000 }, (_, index) => [
    store.read('/a', { signal }),
    store.watch(`/w${index}`, { signal }).next(),
    store.transaction(() => {}, { signal }),
  ])
  const ends = Promise.allSettled(calls.flat())
  expect(getEventListeners(signal, 'abort')).toHaveLength(1)
  stop.abort(reason)
  for (const end of await ends) expect(end).toEqual({ status: 'rejected', reason })
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', warned)
  expect(warnings).toEqual([])
  await store.close()
})

it('leaves no listener on a signal, however a call ends', async () => {
  const { store, peer } = await connected({ timeout: 0 })
  const stop = new AbortController()
  const { signal } = stop
  const listeners = () => getEventListeners(signal, 'abort').length
  const read = store.read('/a', { signal })
  const refused = rejection(store.read('/a', { signal }))
  expect(listeners()).toBe(1)
  peer.reply(await peer.request(), '')
  peer.refuse(await peer.request(), 'ENOENT')
  await Promise.all([read, refused])
  const transaction = store.transaction((t) => t.read('/a', { signal }), { signal })
  peer.reply(await peer.request(), '1\0')
  peer.reply(await peer.request(), '')
  peer.reply(await peer.request())
  await transaction
  const watch = store.watch('/a', { signal })
  const first = watch.next()
  const request = await peer.request(MessageType.watch)
  peer.reply(request)
  peer.event('/a', request.payload.toString().split('\0')[1]!)
  await first
  const left = watch.return?.()
  peer.reply(await peer.request(MessageType.unwatch))
  await left
  expect(listeners()).toBe(0)
  const lost = rejection(store.read('/a', { signal }))
  await store.close()
  await lost
  await rejection(store.read('/a', { signal }))
  await rejection(store.transaction(() => {}, { signal }))
  expect(listeners()).toBe(0)
})
