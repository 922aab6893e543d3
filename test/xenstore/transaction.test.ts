import { expect, it } from 'vitest'
import { XenStoreError } from 'xen-grants/xenstore'
import { MessageType } from '../../src/drivers/xenbus/wire.js'
import { rejection } from '../setup/xen.js'
import { useConnection } from './fixtures/connected.js'
import type { Peer } from './fixtures/scripted-server.js'

const connected = useConnection()
const { transactionStart, transactionEnd, read } = MessageType

async function begin(peer: Peer, id: number): Promise<void> {
  const request = await peer.request(transactionStart)
  expect([request.payload.toString(), request.transactionId]).toEqual(['\0', 0])
  peer.reply(request, `${id}\0`)
}

async function end(peer: Peer, id: number, how: 'T' | 'F', code?: string): Promise<void> {
  const request = await peer.request(transactionEnd)
  expect([request.payload.toString(), request.transactionId]).toEqual([`${how}\0`, id])
  if (code) peer.refuse(request, code)
  else peer.reply(request)
}

it.each(['ENOENT', 'EIO'])(
  'one that xenstored has forgotten (%s) is repeated, though it saw only what is absent',
  async (code) => {
    const { store, peer } = await connected()
    const seen: (string | undefined)[] = []
    const transaction = store.transaction(async (t) => {
      seen.push((await t.tryRead('/a'))?.toString())
    })
    await begin(peer, 5)
    // What a request in a transaction that is not there is answered, and what an absent node is.
    peer.refuse(await peer.request(read), 'ENOENT')
    await end(peer, 5, 'T', code)
    await begin(peer, 6)
    const request = await peer.request(read)
    expect(request.transactionId).toBe(6)
    peer.reply(request, '1')
    await end(peer, 6, 'T')
    await transaction
    expect(seen).toEqual([undefined, '1'])
    await store.close()
  },
)

it('one that threw over what a forgotten one looks like is repeated too', async () => {
  const { store, peer } = await connected()
  const transaction = store.transaction((t) => t.readText('/a'))
  await begin(peer, 5)
  peer.refuse(await peer.request(read), 'ENOENT')
  await end(peer, 5, 'F', 'ENOENT')
  await begin(peer, 6)
  peer.reply(await peer.request(read), 'there')
  await end(peer, 6, 'T')
  expect(await transaction).toBe('there')
  const absent = rejection(store.transaction((t) => t.readText('/a')))
  await begin(peer, 7)
  peer.refuse(await peer.request(read), 'ENOENT')
  await end(peer, 7, 'F')
  expect(await absent).toMatchObject({ code: 'ENOENT', operation: 'readText', path: '/a', transaction: 7 })
  await store.close()
})

it('when the domain has no transaction left, it waits for one', async () => {
  const { store, peer } = await connected()
  const transaction = store.transaction(() => 'done')
  for (const code of ['ENOSPC', 'EQUOTA']) peer.refuse(await peer.request(transactionStart), code)
  await begin(peer, 1)
  await end(peer, 1, 'T')
  expect(await transaction).toBe('done')
  const never = rejection(store.transaction(() => {}, { retries: 1 }))
  for (let tried = 0; tried < 2; tried++) peer.refuse(await peer.request(transactionStart), 'ENOSPC')
  const error = await never
  expect(error).toMatchObject({ code: 'ENOSPC', operation: 'transaction' })
  expect(error.message).toMatch(/tried 2 times.*10 by default/)
  await store.close()
})

it('a quota that was exceeded in it is told, and not tried again', async () => {
  const { store, peer } = await connected()
  const failed = rejection(store.transaction(() => {}))
  await begin(peer, 1)
  await end(peer, 1, 'T', 'ENOMEM')
  const error = await failed
  expect(error).toMatchObject({ code: 'ENOMEM', operation: 'transaction', transaction: 1, inDoubt: false })
  expect(error.message).toMatch(/a quota was exceeded/)
  await store.close()
})

it('what was asked and not awaited in it comes before its end', async () => {
  const { store, peer } = await connected({ window: 1 })
  const transaction = store.transaction((t) => {
    for (const path of ['/a', '/b', '/c']) void t.write(path, '')
  })
  await begin(peer, 1)
  for (const path of ['/a', '/b', '/c']) {
    const request = await peer.request(MessageType.write)
    expect([request.payload.toString(), request.transactionId]).toEqual([`${path}\0`, 1])
    peer.reply(request)
  }
  await end(peer, 1, 'T')
  await transaction
  await store.close()
})

it('its throw is what the caller gets, also when it cannot be undone any more', async () => {
  const { store, peer } = await connected()
  const thrown = new Error('no')
  const failed = rejection(
    store.transaction(() => {
      throw thrown
    }),
  )
  await begin(peer, 1)
  await peer.request(transactionEnd)
  peer.socket.destroy()
  expect(await failed).toBe(thrown)
  await store.close()
})

it('a commit whose answer is lost is in doubt', async () => {
  const { store, peer } = await connected()
  const failed = rejection(store.transaction(() => {}))
  await begin(peer, 3)
  await peer.request(transactionEnd)
  peer.socket.destroy()
  const error = await failed
  expect(error).toBeInstanceOf(XenStoreError)
  expect(error).toMatchObject({ code: 'ECONNRESET', operation: 'transaction', transaction: 3, inDoubt: true })
  await store.close()
})

it.each(['close', 'loss'] as const)(
  'the %s of the store ends one that waits for something else',
  async (how) => {
    const { store, peer } = await connected({ maxTransactions: 1 })
    const pending = [1, 2].map(() => rejection(store.transaction(() => new Promise(() => {}))))
    await begin(peer, 1)
    // Until the first has begun here too.
    const reading = store.read('/a')
    peer.reply(await peer.request(read), '')
    await reading
    if (how === 'close') await store.close()
    else peer.socket.destroy()
    const code = how === 'close' ? 'ERR_GRANTS_CLOSED' : 'ECONNRESET'
    for (const one of pending) expect(await one).toMatchObject({ code, operation: 'transaction' })
    await store.close()
  },
)

it('bad arguments begin none', async () => {
  const { store, peer } = await connected()
  const bad: [unknown, unknown][] = [
    [undefined, undefined],
    [() => {}, { retries: -1 }],
    [() => {}, { retries: 1.5 }],
    [() => {}, { signal: {} }],
    [() => {}, { retires: 1 }],
    [() => {}, { signal: AbortSignal.abort(new TypeError('enough')) }],
  ]
  for (const [work, options] of bad)
    expect(await rejection(store.transaction(work as never, options as never))).toMatchObject({
      name: expect.stringMatching(/TypeError|RangeError/),
    })
  expect(peer.arrived).toBe(0)
  await store.close()
})
