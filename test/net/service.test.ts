import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { expect, it } from 'vitest'
import type { Xen } from 'xen-grants'
import { connect, listen, type ServiceSocket, Vchan } from 'xen-grants/vchan'
import { Live, Page } from '../../src/vchan/layout.js'
import { uncaught } from '../setup/uncaught.js'
import { ended, failure } from '../vchan/ends.js'
import { CLIENT, exchange, NAME, OTHER, SERVER, useServices } from './shared-services.js'

const net = useServices()

/** Connects, and writes nonsense when it has been accepted. */
async function hostileClient(xen: Xen): Promise<void> {
  const [store, events, mapper] = await Promise.all([xen.store(), xen.events(), xen.mapper()])
  const keys = `/local/domain/${SERVER}/data/vchan/${CLIENT}/${NAME}`
  const before = await store.readInt(`${keys}/ring-ref`)
  const page = await mapper.map({ domid: SERVER, refs: [before], writable: true })
  const channel = await events.bindInterdomain(SERVER, await store.readInt(`${keys}/event-channel`))
  Atomics.store(page.bytes, Page.clientLive, Live.connected)
  channel.notify()
  await store.waitFor(`${keys}/ring-ref`, (value) => value !== undefined && Number(value) !== before)
  Atomics.store(page.bytes, Page.clientLive, 7)
  channel.notify()
  await page.unmap()
  await channel.close()
}

const echo = (socket: ServiceSocket): void => void socket.on('error', () => {}).pipe(socket)

it('serves several clients of several domains at once, each its own bytes', async () => {
  const service = await net.listen({}, echo)
  const clients = await Promise.all([CLIENT, CLIENT, OTHER, CLIENT, OTHER].map((domid) => net.connect(domid)))
  const texts = clients.map((_, i) => `the words of client ${i}`)
  expect(await Promise.all(clients.map((client, i) => exchange(client, texts[i]!)))).toEqual(texts)
  expect(service.connections).toBe(5)
  expect(service.stats()).toMatchObject({ connections: 5, accepted: 5, domains: { [CLIENT]: 3, [OTHER]: 2 } })
})

it('says who is at the other end', async () => {
  const service = await net.listen()
  const [client, server] = await Promise.all([
    net.connect(),
    once(service, 'connection').then(([one]) => one),
  ])
  net.keep(server)
  expect(client).toMatchObject({
    domid: SERVER,
    name: NAME,
    remoteAddress: `xen:${SERVER}`,
    readyState: 'open',
  })
  expect(server).toMatchObject({
    domid: CLIENT,
    name: NAME,
    remoteAddress: `xen:${CLIENT}`,
    connecting: false,
  })
  expect(service.address()).toEqual({ domid: SERVER, name: NAME, domids: [CLIENT, OTHER] })
})

it('emits listening when there is somebody to hear it', async () => {
  const service = await net.listen()
  await once(service, 'listening')
  expect(service.listening).toBe(true)
})

it('is iterated: connections that came before are not lost', async () => {
  const service = await net.listen()
  await Promise.all([net.connect(), net.connect(OTHER)])
  const seen = []
  for await (const socket of service) {
    seen.push(net.keep(socket).domid)
    if (seen.length === 2) break
  }
  expect(seen.sort()).toEqual([CLIENT, OTHER])
})

it('the iteration ends with the service', async () => {
  const service = await net.listen()
  const all = (async () => {
    for await (const socket of service) net.keep(socket)
    return 'ended'
  })()
  await service.close()
  expect(await all).toBe('ended')
})

it('a listener that comes late gets the connections that came before', async () => {
  const service = await net.listen()
  await net.connect()
  const [socket] = await once(service, 'connection')
  net.keep(socket)
  expect(socket.domid).toBe(CLIENT)
})

it('what a listener throws is an uncaught exception, and the service goes on', async () => {
  const service = await net.listen()
  const [thrown] = await uncaught(() => {
    service.once('connection', (socket) => {
      net.keep(socket)
      throw new Error('of the listener')
    })
    return net.connect()
  })
  expect(thrown).toMatchObject({ message: 'of the listener' })
  service.on('connection', echo)
  expect(await exchange(await net.connect(), 'still there')).toBe('still there')
})

it('close() waits for the connections, takes no more, and gives back what was offered', async () => {
  const service = await net.listen({}, echo)
  const client = await net.connect()
  await exchange(client, 'x')
  let closed = false
  const closing = service.close().then(() => {
    closed = true
  })
  await expect(net.connect(CLIENT, { timeout: 0 })).rejects.toMatchObject({ code: 'ETIMEDOUT' })
  expect(await exchange(client, 'goes on')).toBe('goes on')
  expect(closed).toBe(false)
  client.end()
  await closing
})

it('close({ force }) ends the connections, also after close()', async () => {
  const service = await net.listen({}, echo)
  const client = await net.connect()
  await exchange(client, 'x')
  const closing = service.close()
  await service.close({ force: true })
  await closing
  expect(await failure(client)).toBeUndefined()
})

it('a connection that nobody reads closes when it has been ended, at either end', async () => {
  const service = await net.listen({}, (socket) => void socket.on('error', () => {}).end('all there is'))
  const client = await net.connect()
  let heard = ''
  for await (const chunk of client) heard += chunk
  expect(heard).toBe('all there is')
  await service.close()
  const other = await net.listen()
  const silent = await net.connect()
  const [server] = await once(other, 'connection')
  const closed = once(silent, 'close')
  net.keep(server).end()
  await closed
})

it('close() ends connections that nobody has taken', async () => {
  const service = await net.listen()
  const client = await net.connect()
  await expect.poll(() => service.connections).toBe(1)
  await service.close()
  await ended(client)
})

it('closes with its signal', async () => {
  const stop = new AbortController()
  const service = await net.listen({ signal: stop.signal })
  const closed = once(service, 'close')
  stop.abort()
  await closed
  await expect(net.connect(CLIENT, { timeout: 0 })).rejects.toMatchObject({ code: 'ETIMEDOUT' })
})

it.each(['domid', 'transaction'] as const)(
  'is not there when its signal fires at the end of %s()',
  async (name) => {
    const xen = net.domain(SERVER)
    const stop = new AbortController()
    const real = await xen.store()
    const store = new Proxy(real, {
      get(_, key) {
        const method = Reflect.get(real, key, real)
        if (typeof method !== 'function') return method
        if (key !== name) return method.bind(real)
        return async (...all: unknown[]) => {
          const result = await method.apply(real, all)
          stop.abort(new Error('enough'))
          return result
        }
      },
    })
    const parts = {
      grants: () => xen.grants(),
      mapper: () => xen.mapper(),
      events: () => xen.events(),
      store: async () => store,
    }
    const options = { name: NAME, domids: [CLIENT], signal: stop.signal }
    await expect(listen(parts, options)).rejects.toThrow('enough')
  },
)

it('a domain that is not allowed finds nothing, until it is', async () => {
  const service = await net.listen({ domids: [CLIENT] }, echo)
  await expect(net.connect(OTHER, { timeout: 0 })).rejects.toMatchObject({ code: 'ETIMEDOUT' })
  await service.allow(OTHER)
  expect(await exchange(await net.connect(OTHER), 'now')).toBe('now')
  await service.deny(OTHER)
  await expect(net.connect(OTHER, { timeout: 0 })).rejects.toMatchObject({ code: 'ETIMEDOUT' })
  expect(await exchange(await net.connect(), 'the other one')).toBe('the other one')
})

it('a domain that is allowed while it is being denied is served when what stood before has been taken back', async () => {
  const service = await net.listen({ domids: [CLIENT] }, echo)
  const denied = service.deny(CLIENT)
  await service.allow(CLIENT)
  await denied
  expect(await exchange(await net.connect(), 'again')).toBe('again')
  // The last word counts.
  await Promise.all([
    service.deny(CLIENT),
    expect(service.allow(CLIENT)).rejects.toMatchObject({ code: 'ERR_GRANTS_CLOSED' }),
    service.deny(CLIENT),
  ])
  expect(service.address().domids).toEqual([])
  await expect(net.connect(CLIENT, { timeout: 0 })).rejects.toMatchObject({ code: 'ETIMEDOUT' })
})

it('close() waits for what is being taken back from a domain that has just been denied', async () => {
  const service = await net.listen({ domids: [CLIENT] })
  const denied = service.deny(CLIENT)
  const again = service.deny(CLIENT).then(() => net.listen({ domids: [CLIENT] }))
  await service.close()
  await (await again).close()
  const next = await net.listen({ domids: [CLIENT] }, echo)
  await denied
  // It has the place for itself, whoever gave it back twice.
  await expect(net.listen({ domids: [CLIENT] })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await next.close()
})

it('what a listener for close throws is an uncaught exception, and close() resolves', async () => {
  const service = await net.listen()
  service.once('close', () => {
    throw new Error('of the listener')
  })
  const [thrown] = await uncaught(() => service.close())
  expect(thrown).toMatchObject({ message: 'of the listener' })
})

it('a client that fails before anybody has taken its connection does the program no harm', async () => {
  const service = await net.listen({ domids: [CLIENT] })
  await hostileClient(net.domain(CLIENT))
  await expect.poll(() => service.stats()).toMatchObject({ accepted: 1, connections: 0 })
  service.on('connection', echo)
  expect(await exchange(await net.connect(), 'goes on')).toBe('goes on')
})

it('a connection whose listeners have all been removed is counted until it ends, and no longer', async () => {
  const service = await net.listen({ maxConnectionsPerDomain: 1 }, (socket) => {
    socket.removeAllListeners()
    socket.on('error', () => {}).resume()
  })
  const first = await net.connect()
  first.destroy()
  await net.connect()
  await service.close({ force: true })
  expect(service.connections).toBe(0)
})

it('a domain with as many connections as it may have waits for one to end, others do not', async () => {
  await net.listen({ maxConnectionsPerDomain: 2 }, echo)
  const [first] = await Promise.all([net.connect(), net.connect()])
  await exchange(first, 'x')
  // Nothing is offered to it until then.
  const store = await net.domain(SERVER).store()
  await store.waitFor(`data/vchan/${CLIENT}/${NAME}/ring-ref`, (value) => value === undefined)
  const third = net.connect()
  expect(await exchange(await net.connect(OTHER), 'mine')).toBe('mine')
  await expect(Promise.race([third, Promise.resolve('waits')])).resolves.toBe('waits')
  first.destroy()
  expect(await exchange(await third, 'at last')).toBe('at last')
})

it('with maxConnections open, one more is dropped', async () => {
  const service = await net.listen({ maxConnections: 1 }, echo)
  await exchange(await net.connect(), 'x')
  const dropped = once(service, 'drop')
  const unlucky = await net.connect(OTHER)
  expect(await dropped).toEqual([{ domid: OTHER }])
  await ended(unlucky)
  expect(service.stats()).toMatchObject({ connections: 1, accepted: 1, dropped: 1 })
  service.maxConnections = 2
  expect(await exchange(await net.connect(OTHER), 'now')).toBe('now')
})

it('a plain vchan connects as well, one after the other, each to pages of its own', async () => {
  const nonces = new Set<string>()
  await net.listen({}, echo)
  const store = await net.domain(CLIENT).store()
  for (let round = 0; round < 3; round++) {
    const path = `data/vchan/${CLIENT}/${NAME}`
    const fresh = (value: Buffer | undefined): boolean => value !== undefined && !nonces.has(String(value))
    nonces.add(String(await store.waitFor(`/local/domain/${SERVER}/${path}/id`, fresh)))
    const end = await Vchan.connect(net.domain(CLIENT), { domid: SERVER, path })
    end.write(`round ${round}`)
    const [chunk] = await once(end, 'data')
    expect(String(chunk)).toBe(`round ${round}`)
    end.destroy()
    await ended(end)
  }
  expect(nonces.size).toBe(3)
})

it('a client that has come and gone before anybody looked is handed out with what it wrote', async () => {
  const service = await net.listen()
  const client = await net.connect()
  client.end('last words')
  const [socket] = await once(service, 'connection')
  net.keep(socket)
  let heard = ''
  for await (const chunk of socket) heard += chunk
  expect(heard).toBe('last words')
  await ended(client)
})

it('a domain that connects and leaves without end starves no other', async () => {
  await net.listen({}, echo)
  let flooding = true
  const flood = (async () => {
    for (let count = 0; ; count++) {
      if (!flooding) return count
      const socket = await net.connect()
      socket.destroy()
      await ended(socket)
    }
  })()
  for (let round = 0; round < 5; round++) {
    const socket = await net.connect(OTHER)
    expect(await exchange(socket, `round ${round}`)).toBe(`round ${round}`)
    socket.destroy()
    await ended(socket)
  }
  flooding = false
  expect(await flood).toBeGreaterThan(0)
})

it('a second one of the same name for the same domain is refused, and the first goes on', async () => {
  const service = await net.listen({}, echo)
  await expect(net.listen({ domids: [9, CLIENT] })).rejects.toMatchObject({
    code: 'EADDRINUSE',
    domid: CLIENT,
  })
  expect(await exchange(await net.connect(), 'the first')).toBe('the first')
  await service.deny(CLIENT)
  await net.listen({ domids: [CLIENT] }, echo)
  expect(await exchange(await net.connect(), 'the second')).toBe('the second')
})

it('xen.close() closes it in order', async () => {
  const { Xen } = await import('xen-grants')
  const own = await Xen.open({ on: net.xen.domain(SERVER) })
  const service = await listen(own, { name: NAME, domids: [CLIENT] }, echo)
  const client = await net.connect()
  await exchange(client, 'x')
  const closed = once(service, 'close')
  await own.close()
  await closed
  await ended(client)
  await expect(service.allow(OTHER)).rejects.toMatchObject({ code: 'ERR_GRANTS_CLOSED' })
})

it('when it cannot offer anything it says so, and nothing is left', async () => {
  const { Xen } = await import('xen-grants')
  const own = await Xen.open({ on: net.xen.domain(SERVER), grants: { maxPages: 40 } })
  net.after(() => own.close())
  // 33 pages for one domain, none for the second.
  await expect(listen(own, { name: NAME, domids: [CLIENT, OTHER] })).rejects.toMatchObject({
    code: 'ERR_GRANTS_QUOTA',
  })
})

it('without pages for the next offer it says so and goes on when there are some', async () => {
  const { Xen } = await import('xen-grants')
  const own = await Xen.open({ on: net.xen.domain(SERVER), grants: { maxPages: 40 } })
  net.after(() => own.close())
  const service = await listen(own, { name: NAME, domids: [CLIENT] }, echo)
  const unavailable = once(service, 'unavailable')
  const first = await net.connect()
  expect(await unavailable).toMatchObject([{ domid: CLIENT, error: { code: 'ERR_GRANTS_QUOTA' } }])
  const second = net.connect()
  first.destroy()
  expect(await exchange(await second, 'now')).toBe('now')
  await service.close({ force: true })
})

it('diagnostics channels tell of the life of each stream, in plain data', async () => {
  const messages: [string, Record<string, unknown>][] = []
  const listener = (message: unknown, name: string | symbol): void => {
    messages.push([String(name).replace('xen-grants:stream-', ''), message as Record<string, unknown>])
  }
  const names = ['xen-grants:stream-open', 'xen-grants:stream-close']
  for (const name of names) subscribe(name, listener)
  try {
    const service = await net.listen({}, echo)
    const client = await net.connect()
    await exchange(client, '0123456789')
    client.end()
    await ended(client)
    await service.close()
    expect(service.stats()).toMatchObject({ connections: 0, accepted: 1, bytesRead: 10, bytesWritten: 10 })
  } finally {
    for (const name of names) unsubscribe(name, listener)
  }
  const path = `/local/domain/${SERVER}/data/vchan/${CLIENT}/${NAME}`
  const opened = messages.filter(([name]) => name === 'open').map(([, message]) => message)
  const closed = messages.filter(([name]) => name === 'close').map(([, message]) => message)
  for (const domid of [SERVER, CLIENT]) {
    expect(opened).toContainEqual({ domid, path })
    expect(closed).toContainEqual(
      expect.objectContaining({ domid, path, bytesRead: 10, bytesWritten: 10, stalls: 0 }),
    )
  }
  expect(messages).toHaveLength(4)
  for (const [, message] of messages) expect(structuredClone(message)).toEqual(message)
})

it('a write that finds no room is counted as a stall', async () => {
  const service = await net.listen({ window: 4096 })
  const [[server], client] = await Promise.all([once(service, 'connection'), net.connect()])
  net.keep(server)
  client.write(Buffer.alloc(10_000))
  expect(client.stalls).toBe(1)
  let heard = 0
  for await (const chunk of server) {
    heard += chunk.length
    if (heard === 10_000) break
  }
  expect(client.bytesWritten).toBe(10_000)
})

it('refuses what is no service', async () => {
  const xen = net.domain(SERVER)
  const good = { name: NAME, domids: [CLIENT] }
  const cases: [object, string][] = [
    [{ ...good, name: 'a/b' }, 'ERR_INVALID_ARG_VALUE'],
    [{ ...good, name: '' }, 'ERR_INVALID_ARG_VALUE'],
    [{ ...good, name: 7 }, 'ERR_INVALID_ARG_TYPE'],
    [{ ...good, domids: 5 }, 'ERR_INVALID_ARG_TYPE'],
    [{ ...good, domids: '57' }, 'ERR_INVALID_ARG_TYPE'],
    [{ ...good, domids: [32752] }, 'ERR_OUT_OF_RANGE'],
    [{ ...good, domids: ['5'] }, 'ERR_INVALID_ARG_TYPE'],
    [{ ...good, window: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ ...good, window: 2 ** 21 }, 'ERR_OUT_OF_RANGE'],
    [{ ...good, maxConnections: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ ...good, maxConnection: 1 }, 'ERR_INVALID_ARG_VALUE'],
    [{ ...good, signal: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ ...good, name: 'a-name-that-is-too-long-for-libxenvchan' }, 'ERR_OUT_OF_RANGE'],
  ]
  for (const [options, code] of cases)
    await expect(listen(xen, options as never), JSON.stringify(options)).rejects.toMatchObject({ code })
  await expect(listen({} as never, good)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
  await expect(listen(xen, good, 5 as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
  await expect(connect(xen, { domid: CLIENT } as never)).rejects.toMatchObject({
    code: 'ERR_INVALID_ARG_TYPE',
  })
  await expect(connect(xen, { domid: -1, name: NAME })).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
  await expect(connect(xen, { domid: 1, name: NAME, timeout: -1 })).rejects.toMatchObject({
    code: 'ERR_OUT_OF_RANGE',
  })
})
