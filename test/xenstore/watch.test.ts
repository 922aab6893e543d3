import { describe, expect, it } from 'vitest'
import { MessageType, type StoreMessage } from '../../src/drivers/xenbus/wire.js'
import { rejection } from '../setup/xen.js'
import { useConnection } from './fixtures/connected.js'
import type { Peer } from './fixtures/scripted-server.js'

const connected = useConnection()
const turn = () => new Promise((resolve) => setImmediate(resolve))
const tokenOf = ({ payload }: StoreMessage) => payload.toString('latin1').split('\0')[1]!

/** Accepts a watch. @returns its token */
async function accept(peer: Peer): Promise<string> {
  const request = await peer.request(MessageType.watch)
  const token = tokenOf(request)
  peer.reply(request)
  peer.event('/a', token)
  return token
}

describe('the first event', () => {
  it('may come after the OK or before it', async () => {
    const { store, peer } = await connected()
    for (const eventFirst of [false, true]) {
      const watch = store.watch('/a')
      const first = watch.next()
      const request = await peer.request(MessageType.watch)
      if (!eventFirst) peer.reply(request)
      peer.event('/a', tokenOf(request))
      if (eventFirst) peer.reply(request)
      expect(await first).toEqual({ done: false, value: { path: '/a', initial: true } })
      const left = watch.return?.()
      peer.reply(await peer.request(MessageType.unwatch))
      await left
    }
    await store.close()
  })

  it('does not come when the watch is refused: that is told, and nothing is left', async () => {
    const { store, peer } = await connected()
    const watches = [store.watch('/a'), store.watch('/a')]
    const refused = watches.map((watch) => rejection(watch.next()))
    peer.refuse(await peer.request(MessageType.watch), 'E2BIG')
    for (const one of refused)
      expect(await one).toMatchObject({ code: 'E2BIG', operation: 'watch', path: '/a' })
    for (const watch of watches) expect(await watch.next()).toEqual({ done: true, value: undefined })
    await watches[0]!.return?.()
    expect(peer.arrived).toBe(0)
    const again = store.watch('/a').next()
    await accept(peer)
    await again
    await store.close()
  })
})

it('all who watch a path share one watch, which ends with the last of them', async () => {
  const { store, peer } = await connected()
  const watches = Array.from({ length: 10 }, () => store.watch('/a'))
  const first = watches.map((watch) => watch.next())
  const token = await accept(peer)
  await Promise.all(first)
  const next = watches.map((watch) => watch.next())
  peer.event('/a/b', token)
  for (const one of await Promise.all(next)) expect(one.value).toEqual({ path: '/a/b', initial: false })
  await Promise.all(watches.slice(1).map((watch) => watch.return?.()))
  expect(peer.arrived).toBe(0)
  const left = watches[0]!.return?.()
  const unwatch = await peer.request(MessageType.unwatch)
  expect(unwatch.payload.toString()).toBe(`/a\0${token}\0`)
  peer.reply(unwatch)
  await left
  expect(peer.arrived).toBe(0)
  await store.close()
})

it('events that come after the end of a watch are those of nobody, before and after xenstored has forgotten it', async () => {
  const { store, peer } = await connected()
  const watch = store.watch('/a')
  const first = watch.next()
  const token = await accept(peer)
  await first
  const left = watch.return?.()
  const unwatch = await peer.request(MessageType.unwatch)
  peer.event('/a', token)
  const again = store.watch('/a')
  const fresh = again.next()
  const other = await accept(peer)
  expect(other).not.toBe(token)
  expect((await fresh).value).toEqual({ path: '/a', initial: true })
  const next = again.next()
  peer.event('/a/late', token)
  peer.refuse(unwatch, 'ENOENT')
  await left
  peer.event('/a/later', token)
  peer.event('/a/mine', other)
  expect((await next).value).toEqual({ path: '/a/mine', initial: false })
  await store.close()
})

it('leaving while xenstored has not yet accepted the watch ends it when it has', async () => {
  const { store, peer } = await connected()
  const watch = store.watch('/a')
  const first = watch.next()
  const request = await peer.request(MessageType.watch)
  const left = watch.return?.()
  expect(await first).toEqual({ done: true, value: undefined })
  await turn()
  expect(peer.arrived).toBe(0)
  peer.reply(request)
  peer.event('/a', tokenOf(request))
  peer.reply(await peer.request(MessageType.unwatch))
  await left
  await store.close()
})

it('a consumer that sleeps through a flood has few marks, and the watched path stands for the rest', async () => {
  const { store, peer } = await connected()
  const watch = store.watch('/a')
  const first = watch.next()
  const token = await accept(peer)
  await first
  for (let index = 0; index < 20_000; index++) peer.event(`/a/${'x'.repeat(index % 1000)}/${index}`, token)
  // Behind the flood.
  const read = store.read('/a')
  peer.reply(await peer.request(MessageType.read), '')
  await read
  const marks: string[] = []
  peer.event('/a/last', token)
  for (;;) {
    const { value } = await watch.next()
    marks.push(value!.path)
    if (value!.path === '/a/last' || value!.path === '/a') break
  }
  expect(marks.length).toBeLessThanOrEqual(64)
  expect(marks).toContain('/a')
  await store.close()
})

it('two calls of next() at once get a change each, in their order', async () => {
  const { store, peer } = await connected()
  const watch = store.watch('/a')
  const both = [watch.next(), watch.next()]
  const token = await accept(peer)
  peer.event('/a/b', token)
  const [one, two] = await Promise.all(both)
  expect([one!.value, two!.value]).toEqual([
    { path: '/a', initial: true },
    { path: '/a/b', initial: false },
  ])
  await store.close()
})

it('the loss of the connection is told to every loop once, and ends it', async () => {
  const { store, peer } = await connected()
  const watches = [store.watch('/a'), store.watch('/a')]
  const first = watches.map((watch) => watch.next())
  await accept(peer)
  await Promise.all(first)
  const waiting = rejection(watches[0]!.next())
  peer.socket.destroy()
  expect(await waiting).toMatchObject({ code: 'ECONNRESET', operation: 'watch', path: '/a' })
  expect(await rejection(watches[1]!.next())).toMatchObject({ code: 'ECONNRESET' })
  for (const watch of watches) expect(await watch.next()).toEqual({ done: true, value: undefined })
  await store.close()
})
