import { expect, it } from 'vitest'
import { type DomainStandIn, Xen, XenStore } from 'xen-grants'
import { eventDescriptor } from '../../dist/src/drivers/evtchn/event-device.js'
import { deviceDescriptor } from '../../dist/src/drivers/gntalloc/grant-device.js'
import { mapDescriptor } from '../../dist/src/drivers/gntdev/map-device.js'
import { storeDescriptor } from '../../dist/src/drivers/xenbus/store-device.js'
import { MessageType } from '../../src/drivers/xenbus/wire.js'
import { rejection, useXen } from '../setup/xen.js'
import { useServer } from '../xenstore/fixtures/scripted-server.js'

const world = useXen()
const server = useServer()

/** A domain of the simulated Xen whose xenstore is the test's. */
const domain = (): DomainStandIn => ({
  [deviceDescriptor]: world.xen[deviceDescriptor],
  [mapDescriptor]: world.xen[mapDescriptor],
  [eventDescriptor]: world.xen[eventDescriptor],
  [storeDescriptor]: { socket: server.path },
})

it('opens the xenstore of the domain once, and closes it with the rest', async () => {
  const xen = await Xen.open({ on: domain(), store: { window: 1 } })
  const peer = server.peer()
  const [store, again] = await Promise.all([xen.store(), xen.store()])
  expect(again).toBe(store)
  expect(store).toBeInstanceOf(XenStore)
  const reading = rejection(store.read('/a'))
  await (await peer).request(MessageType.read)
  await xen.close()
  expect(await reading).toMatchObject({ code: 'ERR_GRANTS_CLOSED' })
  await server.closed()
  expect(await rejection(xen.store())).toMatchObject({ code: 'ERR_GRANTS_CLOSED' })
})

it('opens another when the connection of the one before was lost', async () => {
  await using xen = await Xen.open({ on: domain() })
  const peer = server.peer()
  const store = await xen.store()
  ;(await peer).socket.destroy()
  expect(await store.closed).toMatchObject({ code: 'ECONNRESET' })
  const next = server.peer()
  const other = await xen.store()
  await next
  expect(other).not.toBe(store)
})

it('has no xenstore for a domain that has none', async () => {
  const on = { ...domain(), [storeDescriptor]: undefined } as unknown as DomainStandIn
  await using xen = await Xen.open({ on })
  expect(await rejection(xen.store())).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
})
