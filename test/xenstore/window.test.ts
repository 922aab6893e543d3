import { expect, it } from 'vitest'
import { MessageType } from '../../src/drivers/xenbus/wire.js'
import { rejection } from '../setup/xen.js'
import { useConnection } from './fixtures/connected.js'

const connected = useConnection()

it('no more requests are sent than xenstored may leave unanswered', async () => {
  const { store, peer } = await connected({ window: 5 })
  const reads = Array.from({ length: 50 }, (_, index) => store.readText(`/n${index}`))
  for (let answered = 0; answered < 50; answered++) {
    const request = await peer.request()
    await new Promise((resolve) => setImmediate(resolve))
    expect(peer.arrived).toBeLessThan(5)
    peer.reply(request, request.payload)
  }
  expect(await Promise.all(reads)).toEqual(reads.map((_, index) => `/n${index}\0`))
  await store.close()
})

it('a transaction and a watch do not wait behind a long queue of others', async () => {
  const { store, peer } = await connected({ window: 1 })
  const reads = Promise.allSettled(Array.from({ length: 100 }, (_, index) => store.read(`/n${index}`)))
  const transaction = store.transaction((t) => t.read('/mine'))
  const watch = store.watch('/w')
  const change = watch.next()
  const order: number[] = []
  for (let count = 0; count < 14; count++) {
    const request = await peer.request()
    order.push(request.type)
    if (request.type === MessageType.transactionStart) peer.reply(request, '1\0')
    else if (request.type === MessageType.read) peer.reply(request, '')
    else peer.reply(request)
    await new Promise((resolve) => setImmediate(resolve))
  }
  for (const type of [MessageType.transactionStart, MessageType.transactionEnd, MessageType.watch])
    expect(order).toContain(type)
  await transaction
  await store.close()
  expect(await change).toEqual({ done: true, value: undefined })
  const ends = await reads
  // Those that were sent meanwhile took turns with the others.
  expect(ends.filter(({ status }) => status === 'fulfilled').length).toBeLessThan(12)
})

it('the requests of one caller are sent in the order in which they were made', async () => {
  const { store, peer } = await connected({ window: 2 })
  const paths = Array.from({ length: 20 }, (_, index) => `/n${index}`)
  const reads = paths.map((path) => store.read(path))
  const order: string[] = []
  for (const _ of paths) {
    const request = await peer.request()
    order.push(request.payload.toString('latin1', 0, request.payload.length - 1))
    peer.reply(request, '')
  }
  await Promise.all(reads)
  expect(order).toEqual(paths)
  await store.close()
})

it('closing settles what was sent and what was not, and tells them apart', async () => {
  const { store, peer } = await connected({ window: 1 })
  const pending = [store.write('/sent', ''), store.write('/waiting', '')].map(rejection)
  await peer.request()
  const closing = store.close()
  const [sent, waiting] = await Promise.all(pending)
  expect(sent).toMatchObject({ code: 'ERR_GRANTS_CLOSED', operation: 'write', path: '/sent', inDoubt: true })
  expect(waiting).toMatchObject({ code: 'ERR_GRANTS_CLOSED', path: '/waiting', inDoubt: false })
  await closing
  await store.close()
  expect(await store.closed).toBe(undefined)
})
