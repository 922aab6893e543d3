import { expect, it } from 'vitest'
import { connect, type ServiceSocket } from 'xen-grants/vchan'
import { CLIENT, exchange, NAME, SERVER, useServices } from './shared-services.js'

const net = useServices()
const echo = (socket: ServiceSocket): void => void socket.on('error', () => {}).pipe(socket)

/** The client's domain, and how often xenstore has been asked for: once for each that connects, and once for each turn. */
function counted() {
  const xen = net.domain(CLIENT)
  const asked = { store: 0 }
  const parts = {
    grants: () => xen.grants(),
    mapper: () => xen.mapper(),
    events: () => xen.events(),
    store: () => {
      asked.store++
      return xen.store()
    },
  }
  return { parts, asked }
}

it('those that wait for a service look for it in turn, also when one of them waits without end', async () => {
  const { parts, asked } = counted()
  const options = { domid: SERVER, name: NAME }
  const patient = (await connect(parts, { ...options, reconnect: true }))[Symbol.asyncIterator]()
  const first = patient.next()
  const second = connect(parts, { ...options, timeout: 60_000 })
  // The first, the second, and the first once more.
  await expect.poll(() => asked.store).toBeGreaterThanOrEqual(5)
  await net.listen({}, echo)
  const sockets = [net.keep((await first).value!), net.keep(await second)]
  for (const socket of sockets) expect(await exchange(socket, 'served')).toBe('served')
  await patient.return(undefined)
})

it('one that waits alone looks without a pause', async () => {
  const { parts, asked } = counted()
  const options = { domid: SERVER, name: NAME, timeout: 600 }
  await expect(connect(parts, options)).rejects.toMatchObject({
    code: 'ETIMEDOUT',
    message: expect.stringMatching(/after \d+ ms: there are no keys/),
  })
  expect(asked.store).toBe(2)
})

it('one whose time is over before its turn says that others look', async () => {
  const { parts } = counted()
  const options = { domid: SERVER, name: NAME }
  const patient = await connect(parts, { ...options, reconnect: true })
  const none = patient[Symbol.asyncIterator]().next()
  await expect(connect(parts, { ...options, timeout: 1 })).rejects.toMatchObject({
    code: 'ETIMEDOUT',
    message: expect.stringContaining('2 connections of this program to it are being made'),
  })
  await patient.close()
  await none
})

it('the signal of one that waits for its turn ends it at once, and no other', async () => {
  const { parts } = counted()
  const options = { domid: SERVER, name: NAME }
  const first = connect(parts, options)
  const stop = new AbortController()
  const second = connect(parts, { ...options, signal: stop.signal })
  stop.abort(new Error('enough'))
  await expect(second).rejects.toThrow('enough')
  await net.listen({}, echo)
  expect(await exchange(net.keep(await first), 'served')).toBe('served')
})
