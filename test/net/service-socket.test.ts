import { once } from 'node:events'
import { expect, it } from 'vitest'
import type { ServiceSocket } from 'xen-grants/vchan'
import { ended, failure } from '../vchan/ends.js'
import { CLIENT, OTHER, useServices } from './shared-services.js'

const net = useServices()

async function pair(): Promise<[server: ServiceSocket, client: ServiceSocket]> {
  const service = await net.listen()
  const [[server], client] = await Promise.all([once(service, 'connection'), net.connect()])
  return [net.keep(server), client]
}

it('emits timeout when nothing moves, once, and stays open', async () => {
  const [server, client] = await pair()
  let count = 0
  client.on('timeout', () => count++)
  await new Promise<void>((resolve) => client.setTimeout(5, resolve))
  // Two more periods by another clock than its own.
  await new Promise<void>((resolve) => server.setTimeout(15, resolve))
  expect(count).toBe(1)
  expect(client.timeout).toBe(5)
  client.write('still open')
  expect(String((await once(server, 'data'))[0])).toBe('still open')
})

it('what moves begins the time anew', async () => {
  const [server, client] = await pair()
  client.once('timeout', () => {})
  client.setTimeout(2)
  await once(client, 'timeout')
  server.write('x')
  await once(client, 'data')
  await once(client, 'timeout')
  client.write('y')
  // Unread, it would be an error of the client's when the server is destroyed.
  server.resume()
  await once(client, 'timeout')
})

it('setTimeout(0) takes it back, and with it the listener', async () => {
  const [server, client] = await pair()
  const listener = (): void => {}
  client.setTimeout(1, listener)
  client.setTimeout(0, listener)
  expect(client.listenerCount('timeout')).toBe(0)
  client.once('timeout', () => expect.unreachable())
  await new Promise<void>((resolve) => server.setTimeout(10, resolve))
  expect(() => client.setTimeout(-1)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }))
  expect(() => client.setTimeout('1' as never)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
  )
  expect(() => client.setTimeout(1, 1 as never)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
  )
})

it('destroySoon() lets the other end take everything first', async () => {
  const [server, client] = await pair()
  const bytes = Buffer.alloc(1 << 20, 'z')
  server.write(bytes)
  server.destroySoon()
  let count = 0
  for await (const chunk of client) count += chunk.length
  expect(count).toBe(bytes.length)
  await ended(server)
})

it('resetAndDestroy() closes at once', async () => {
  const [server, client] = await pair()
  server.resetAndDestroy()
  expect(server.readyState).toBe('closed')
  await ended(client)
  await ended(server)
})

it('tells its state', async () => {
  const [server, client] = await pair()
  expect(client.readyState).toBe('open')
  expect([client.setNoDelay(), client.setKeepAlive(true, 1), client.ref()]).toEqual([client, client, client])
  server.destroy()
  await ended(client)
  expect(client.readyState).toBe('closed')
})

it('a signal that fires while it connects gives everything back', async () => {
  const stop = new AbortController()
  const waiting = net.connect(CLIENT, { signal: stop.signal })
  const behind = net.connect(CLIENT, { signal: stop.signal })
  const other = net.connect(OTHER, { signal: stop.signal })
  await new Promise((resolve) => setImmediate(resolve))
  stop.abort(new Error('enough'))
  for (const one of [waiting, behind, other]) await expect(one).rejects.toThrow('enough')
})

it('those that connect at the same time each have their time limit', async () => {
  const codes = await Promise.all(
    [30, 1, 20].map((timeout) => net.connect(CLIENT, { timeout }).catch((error) => error.code)),
  )
  expect(codes).toEqual(['ETIMEDOUT', 'ETIMEDOUT', 'ETIMEDOUT'])
})

it('twenty at once from one program are all served', async () => {
  const service = await net.listen({}, (socket) => void socket.on('error', () => {}).pipe(socket))
  const all = await Promise.all(Array.from({ length: 20 }, () => net.connect()))
  // The last client may know before the service does.
  await expect.poll(() => service.connections).toBe(20)
  for (const one of all) one.end()
  expect(await Promise.all(all.map(failure))).toEqual(Array(20).fill(undefined))
})
