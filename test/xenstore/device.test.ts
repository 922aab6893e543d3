import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import { XenStore, type XenStoreOptions } from 'xen-grants/xenstore'
import { storeDescriptor } from '../../dist/src/drivers/xenbus/store-device.js'
import { MessageType, type StoreMessage } from '../../src/drivers/xenbus/wire.js'
import { script } from '../setup/process.js'
import { rejection } from '../setup/xen.js'
import { type Peer, useServer } from './fixtures/scripted-server.js'

const server = useServer()
const module = new URL('./fixtures/relay-device.mjs', import.meta.url).href
const { getDomainPath, watch, unwatch, read } = MessageType
const tokenOf = ({ payload }: StoreMessage) => payload.toString('latin1').split('\0')[1]!

const standIn = (descriptor: object) => ({
  [storeDescriptor]: { module, path: '/dev/relay', simulated: true, options: {}, ...descriptor },
})

async function connected(options?: XenStoreOptions): Promise<{ store: XenStore; peer: Peer }> {
  const peer = server.peer()
  const store = await XenStore.open({ path: standIn({ options: { socket: server.path } }), ...options })
  return { store, peer: await peer }
}

/** What xenstored is asked before a watch, to see that it answers. */
async function probed(peer: Peer): Promise<void> {
  const probe = await peer.request(getDomainPath)
  expect(probe.payload.toString()).toBe('0\0')
  peer.reply(probe, '/local/domain/0\0')
}

it('a watch is not written before xenstored has just answered: it would block the thread until it does', async () => {
  const { store, peer } = await connected()
  const change = store.watch('/a').next()
  const other = store.watch('/b').next()
  const reading = store.read('/c')
  for (const path of ['/a', '/b']) {
    const probe = await peer.request(getDomainPath)
    await new Promise((resolve) => setImmediate(resolve))
    // Nor is anything else: the device has one request at a time.
    expect(peer.arrived).toBe(0)
    peer.reply(probe, '/local/domain/0\0')
    const request = await peer.request(watch)
    expect(request.payload.toString('latin1').startsWith(`${path}\0`)).toBe(true)
    peer.reply(request)
    peer.event(path, tokenOf(request))
  }
  peer.reply(await peer.request(read), '')
  await reading
  expect((await change).value).toEqual({ path: '/a', initial: true })
  expect((await other).value).toEqual({ path: '/b', initial: true })
  await store.close()
  await server.closed()
})

it('leaving a watch asks first too', async () => {
  const { store, peer } = await connected()
  const iterator = store.watch('/a')
  const first = iterator.next()
  await probed(peer)
  const request = await peer.request(watch)
  peer.reply(request)
  peer.event('/a', tokenOf(request))
  await first
  const left = iterator.return?.()
  await probed(peer)
  peer.reply(await peer.request(unwatch))
  await left
  await store.close()
})

it('a watch that the kernel refuses in write() is refused as xenstored would', async () => {
  const { store, peer } = await connected()
  const refused = rejection(store.watch('/refused').next())
  await probed(peer)
  expect(await refused).toMatchObject({
    name: 'XenStoreError',
    code: 'E2BIG',
    operation: 'watch',
    path: '/refused',
  })
  const reading = store.readText('/a')
  peer.reply(await peer.request(read), 'value')
  expect(await reading).toBe('value')
  await store.close()
})

it('a dead xenstored is given up, with a watch that was never written', async () => {
  const { store, peer } = await connected({ timeout: 30 })
  const pending = [rejection(store.watch('/a').next()), rejection(store.read('/b'))]
  await peer.request(getDomainPath)
  for (const one of pending) expect(await one).toMatchObject({ code: 'ETIMEDOUT' })
  await store.close()
  await server.closed()
  expect(peer.arrived).toBe(0)
})

it('a message has 16 bytes less than on a socket', async () => {
  const { store, peer } = await connected()
  const error = await rejection(store.write('/a', Buffer.alloc(4080 - 2)))
  expect(error).toMatchObject({ code: 'ERR_OUT_OF_RANGE', message: expect.stringContaining('at most 4080') })
  const written = store.write('/a', Buffer.alloc(4080 - 3))
  peer.reply(await peer.request(MessageType.write))
  await written
  await store.close()
})

it('the end of the device is the end of the store: everything pending rejects', async () => {
  const { store, peer } = await connected()
  const pending = rejection(store.read('/a'))
  await peer.request()
  peer.socket.destroy()
  expect(await pending).toMatchObject({
    name: 'XenStoreError',
    code: 'EIO',
    operation: 'read',
    inDoubt: true,
  })
  expect(await store.closed).toMatchObject({ code: 'EIO' })
  await store.close()
})

it('noise ends the store and its worker', async () => {
  const { store, peer } = await connected()
  const pending = rejection(store.read('/a'))
  peer.reply({ ...(await peer.request()), requestId: 4711 })
  expect(await pending).toMatchObject({ code: 'ERR_GRANTS_PROTOCOL' })
  await store.closed
  await store.close()
  await server.closed()
})

it('what cannot be opened rejects, and leaves no thread', async () => {
  const absent = XenStore.open({ path: standIn({ options: { socket: '/absent' } }) })
  expect(await rejection(absent)).toMatchObject({ code: 'ENOENT' })
  const stop = new AbortController()
  const peer = server.peer()
  // Before there is one, nothing would be opened.
  process.once('worker', () => stop.abort(new Error('enough')))
  const opening = rejection(
    XenStore.open({ path: standIn({ options: { socket: server.path } }), signal: stop.signal }),
  )
  expect((await opening).message).toBe('enough')
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0)
  // The thread is ended when it has opened the device.
  await peer
  await server.closed()
})

it('a process ends by itself when nothing is pending, and by process.exit() when something is', async () => {
  const path = { module, path: '/dev/relay', simulated: true, options: { socket: server.path } }
  const program = (rest: string) => `
    import { XenStore } from 'xen-grants/xenstore'
    const key = Symbol.for('xen-grants.store-descriptor')
    const store = await XenStore.open({ path: { [key]: ${JSON.stringify(path)} } })
    ${rest}
  `
  const answer = async (peer: Peer): Promise<void> => {
    for (;;) {
      const request = await peer.request()
      if (request.payload.toString() === '/a\0') peer.reply(request, 'value')
    }
  }
  const cases = [
    ["console.log(String(await store.read('/a')))", 'value\n'],
    ["await store.close(); console.log('closed')", 'closed\n'],
    ["store.watch('/b').next(); setImmediate(() => { console.log('exit'); process.exit(0) })", 'exit\n'],
  ] as const
  for (const [rest, stdout] of cases) {
    void server.peer().then(answer)
    expect(await script(program(rest))).toMatchObject({ code: 0, signal: null, stdout, stderr: '' })
  }
})
