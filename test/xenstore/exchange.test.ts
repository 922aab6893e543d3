// Transactions whose changes travel with their commit, at a xenstored that answers as it is told.
import { expect, it } from 'vitest'
import { MessageType } from '../../src/drivers/xenbus/wire.js'
import type { Exchange } from '../../src/xenstore/exchange.js'
import { exchange, XenStore } from '../../src/xenstore/xen-store.js'
import { rejection } from '../setup/xen.js'
import { type Peer, useServer } from './fixtures/scripted-server.js'

const server = useServer()
const { transactionStart, transactionEnd, read, write } = MessageType

async function connected(options: { window?: number } = {}): Promise<{ store: XenStore; peer: Peer }> {
  const peer = server.peer()
  const store = await XenStore.open({ path: server.path, ...options })
  return { store, peer: await peer }
}

async function begin(peer: Peer, id: number): Promise<void> {
  peer.reply(await peer.request(transactionStart), `${id}\0`)
}

/** What it depends on is the value of /a, and what it changes are /b and /c. */
const bothUnlessAbsent: Exchange<string | undefined> = {
  read: async (t) => (await t.tryRead('/a'))?.toString(),
  write: (t, found) =>
    found === undefined ? undefined : ['/b', '/c'].map((path) => t.write(path, `after ${found}`)),
}

it.each([undefined, 1])('changes are sent with the commit, in order (window %s)', async (window) => {
  const { store, peer } = await connected(window === undefined ? {} : { window })
  const done = exchange(store, bothUnlessAbsent, undefined)
  await begin(peer, 5)
  peer.reply(await peer.request(read), 'now')
  if (window === undefined) {
    const requests = [
      await peer.request(write),
      await peer.request(write),
      await peer.request(transactionEnd),
    ]
    expect(requests.map(({ payload }) => payload.toString())).toEqual([
      '/b\0after now',
      '/c\0after now',
      'T\0',
    ])
    expect(requests.map(({ transactionId }) => transactionId)).toEqual([5, 5, 5])
    for (const request of requests) peer.reply(request)
  } else for (const type of [write, write, transactionEnd]) peer.reply(await peer.request(type))
  expect(await done).toBe('now')
  await store.close()
})

it('one with nothing to change is undone', async () => {
  const { store, peer } = await connected()
  const done = exchange(store, bothUnlessAbsent, undefined)
  await begin(peer, 5)
  peer.refuse(await peer.request(read), 'ENOENT')
  const end = await peer.request(transactionEnd)
  expect(end.payload.toString()).toBe('F\0')
  peer.reply(end)
  expect(await done).toBeUndefined()
  await store.close()
})

it.each(['EAGAIN', 'ENOENT', 'EIO'])(
  'after a conflict (%s) it reads anew, and writes what follows from that',
  async (code) => {
    const { store, peer } = await connected()
    const done = exchange(store, bothUnlessAbsent, undefined)
    for (const [id, value] of [
      [5, 'old'],
      [6, 'new'],
    ] as const) {
      await begin(peer, id)
      peer.reply(await peer.request(read), value)
      for (let i = 0; i < 2; i++) {
        const request = await peer.request(write)
        expect(request.payload.toString()).toMatch(new RegExp(`after ${value}$`))
        // What a forgotten transaction is answered.
        if (id === 5 && code !== 'EAGAIN') peer.refuse(request, code)
        else peer.reply(request)
      }
      const end = await peer.request(transactionEnd)
      if (id === 5) peer.refuse(end, code)
      else peer.reply(end)
    }
    expect(await done).toBe('new')
    await store.close()
  },
)

it.each([undefined, 'ENOMEM'])(
  'a change that is refused is told, whatever the commit is answered (%s)',
  async (code) => {
    const { store, peer } = await connected()
    const failed = rejection(exchange(store, bothUnlessAbsent, undefined))
    await begin(peer, 5)
    peer.reply(await peer.request(read), 'now')
    peer.reply(await peer.request(write))
    peer.refuse(await peer.request(write), 'ENOSPC')
    const end = await peer.request(transactionEnd)
    if (code) peer.refuse(end, code)
    else peer.reply(end)
    expect(await failed).toMatchObject({ code: 'ENOSPC', operation: 'write', path: '/c', transaction: 5 })
    await store.close()
  },
)

it('a signal ends it undone while it reads, and not any more when it writes', async () => {
  const { store, peer } = await connected()
  const stop = new AbortController()
  const stopped = rejection(exchange(store, bothUnlessAbsent, stop.signal))
  await begin(peer, 5)
  const reading = await peer.request(read)
  stop.abort(new Error('enough'))
  expect((await stopped).message).toBe('enough')
  peer.reply(reading, 'now')
  const undone = await peer.request(transactionEnd)
  expect(undone.payload.toString()).toBe('F\0')
  peer.reply(undone)

  const late = new AbortController()
  const done = exchange(store, bothUnlessAbsent, late.signal)
  await begin(peer, 6)
  peer.reply(await peer.request(read), 'now')
  const requests = [await peer.request(write), await peer.request(write), await peer.request(transactionEnd)]
  late.abort(new Error('too late'))
  for (const request of requests) peer.reply(request)
  expect(await done).toBe('now')
  await store.close()
})
