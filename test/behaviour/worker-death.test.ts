import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { GrantServer } from 'xen-grants'
import { deviceDescriptor } from '../../dist/src/drivers/gntalloc/grant-device.js'
import { mortal } from '../setup/mortal.js'
import { rejection, useXen } from '../setup/xen.js'

const world = useXen()

describe('when the device worker dies', () => {
  it.each([
    ['of an uncaught error', 101],
    ['by leaving', 102],
  ])('%s, every pending call rejects, views are harmless, the pages are free', async (_name, domid) => {
    const server = await GrantServer.open({
      device: mortal(world.xen) as never,
      restart: false,
      fillers: { threads: 1, inPlaceBelow: 0 },
    })
    const grant = await server.share({ domid: 7, pages: 10 })
    const view = grant.bytes
    view.fill(1)
    const error = once(server, 'error')
    const silent = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }
    const pending = [
      server.share({ domid, pages: 1 }),
      server.share({ domid: 7, pages: 1 }),
      grant.fill(silent),
    ].map(rejection)
    for (const failure of await Promise.all(pending)) expect(failure.code).toBe('ERR_GRANTS_WORKER_DIED')
    expect((await error)[0]).toMatchObject({ code: 'ERR_GRANTS_WORKER_DIED' })
    expect([grant.bytes.length, view.every((byte) => byte === 0)]).toEqual([0, true])
    expect((await rejection(grant.fill({ byte: 1 }))).code).toBe('ERR_GRANTS_WORKER_DIED')
    expect((await rejection(server.share({ domid: 7, pages: 1 }))).code).toBe('ERR_GRANTS_WORKER_DIED')
    await grant.unshare()
    await server.close()
    while ((await world.xen.counters()).sessions > 0) await new Promise((resolve) => setImmediate(resolve))
  })

  it('a new one is started, and serves', async () => {
    const server = await GrantServer.open({ device: mortal(world.xen) as never })
    for (let round = 0; round < 3; round++) {
      const grant = await server.share({ domid: 7, pages: 10 })
      const handle = grant.handle()
      const errors: unknown[] = []
      server.on('error', (error) => errors.push(error))
      const failure = await rejection(server.share({ domid: 101, pages: 1 }))
      expect(failure.code).toBe('ERR_GRANTS_WORKER_DIED')
      await using again = await server.share({ domid: 7, pages: 1 })
      again.bytes[0] = 1
      expect(grant.bytes.length).toBe(0)
      expect((await rejection(server.attach(handle))).code).toBe('ERR_INVALID_ARG_TYPE')
      expect(errors).toEqual([expect.objectContaining({ code: 'ERR_GRANTS_WORKER_DIED' })])
      expect(await server.stats()).toMatchObject({ grants: 1, pages: 1 })
      server.removeAllListeners('error')
    }
    await server.close()
    while ((await world.xen.counters()).sessions > 0) await new Promise((resolve) => setImmediate(resolve))
  })

  it('one that keeps dying is given up', async () => {
    const server = await GrantServer.open({ device: mortal(world.xen) as never })
    server.on('error', () => {})
    const closed = new Promise<void>((resolve) => server.once('close', resolve))
    let failure: Record<string, unknown> = {}
    for (let round = 0; round < 5; round++) failure = await rejection(server.share({ domid: 102, pages: 1 }))
    await closed
    expect(failure.code).toBe('ERR_GRANTS_WORKER_DIED')
    expect((await rejection(server.share({ domid: 7, pages: 1 }))).code).toBe('ERR_GRANTS_WORKER_DIED')
    await server.close()
    while ((await world.xen.counters()).sessions > 0) await new Promise((resolve) => setImmediate(resolve))
  })

  it('while it opens, open() rejects', async () => {
    const module = 'data:text/javascript,export const openDevice = () => process.exit(4)'
    const device = { [deviceDescriptor]: { module, options: {}, path: 'x', simulated: true } }
    expect((await rejection(GrantServer.open({ device: device as never }))).code).toBe(
      'ERR_GRANTS_WORKER_DIED',
    )
  })
})
