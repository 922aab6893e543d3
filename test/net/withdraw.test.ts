// What xenstored does not let a service do at once is done later: keys that stay would lead clients to what others own by then.
import { once } from 'node:events'
import { expect, it } from 'vitest'
import { listen, type Service, type ServiceSocket } from 'xen-grants/vchan'
import { type XenStore, XenStoreError } from 'xen-grants/xenstore'
import { CLIENT, exchange, NAME, SERVER, useServices } from './shared-services.js'

const net = useServices()
const echo = (socket: ServiceSocket): void => void socket.on('error', () => {}).pipe(socket)

/** The server's domain, with a xenstore of which the next transactions fail: before or after they have been carried out. */
async function failing() {
  const xen = net.domain(SERVER)
  const real = await xen.store()
  const orders: ('before' | 'after')[] = []
  const store = new Proxy(real, {
    get(_, key) {
      const method = Reflect.get(real, key, real)
      if (typeof method !== 'function') return method
      if (key !== 'transaction') return method.bind(real)
      return async (...all: Parameters<XenStore['transaction']>) => {
        const order = orders.shift()
        if (order !== 'before') await real.transaction(...all)
        if (order === undefined) return
        const subject = { operation: 'transaction', inDoubt: order === 'after' }
        throw new XenStoreError('ECONNRESET', `transaction: ordered to fail ${order} it is done`, subject)
      }
    },
  })
  const parts = {
    grants: () => xen.grants(),
    mapper: () => xen.mapper(),
    events: () => xen.events(),
    store: async () => store,
  }
  const start = async (): Promise<Service> => {
    const service = await listen(parts, { name: NAME, domids: [CLIENT] }, echo)
    net.after(() => service.close({ force: true }))
    return service
  }
  return { orders, start, exists: () => real.exists(`data/vchan/${CLIENT}/${NAME}`) }
}

it('keys that cannot be withdrawn are tried again when the service closes', async () => {
  const { orders, start, exists } = await failing()
  const service = await start()
  orders.push('before')
  await service.close()
  expect(await exists()).toBe(false)
})

it('keys and a claim that stay are told of', async () => {
  const { orders, start, exists } = await failing()
  const service = await start()
  const told: string[] = []
  service.on('unavailable', ({ error }) => told.push(error.message))
  // The keys, what stands beside them, the keys again, the claim.
  orders.push('before', 'before', 'before', 'before')
  await service.close()
  expect(told).toEqual(Array(2).fill('transaction: ordered to fail before it is done'))
  expect(await exists()).toBe(true)
  // The next service removes what is left.
  await (await start()).close()
  expect(await exists()).toBe(false)
})

it('keys whose publishing has failed in doubt are withdrawn, and another offer is made', async () => {
  const { orders, start } = await failing()
  const service = await start()
  const unavailable = once(service, 'unavailable')
  // The second offer is there, though the service is told that it is not; and withdrawing it fails as well.
  orders.push('after', 'before')
  const first = await net.connect()
  expect(await exchange(first, 'first')).toBe('first')
  expect(await unavailable).toMatchObject([{ domid: CLIENT, error: { code: 'ECONNRESET' } }])
  expect(await exchange(await net.connect(), 'second')).toBe('second')
})

it('a service that cannot publish its first offer leaves nothing', async () => {
  const { orders, start, exists } = await failing()
  // Its claim is written, its keys are as well without its knowing, and withdrawing them fails once.
  orders.push(undefined as never, 'after', 'before')
  await expect(start()).rejects.toMatchObject({ code: 'ECONNRESET' })
  expect(await exists()).toBe(false)
})
