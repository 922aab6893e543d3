import { expect, it } from 'vitest'
import { type DomainStandIn, Xen } from 'xen-grants'
import { useXen } from '../setup/xen.js'

const world = useXen()

it('grants, maps and signals with what one object has opened, each part once', async () => {
  await using xen = await Xen.open({ on: world.xen, grants: { maxPages: 64 } })
  const [server, again, mapper, events] = await Promise.all([
    xen.grants(),
    xen.grants(),
    xen.mapper(),
    xen.events(),
  ])
  expect(again).toBe(server)
  const grant = await server.share({ domid: 0, pages: 2, writable: true })
  grant.bytes[5000] = 9
  const mapped = await mapper.map({ domid: 0, refs: grant.refs })
  expect(mapped.bytes[5000]).toBe(9)
  const one = await events.bindUnbound(0)
  const other = await events.bindInterdomain(0, one.port)
  other.notify()
  await one.wait()
  await expect(server.share({ domid: 0, pages: 63 })).rejects.toMatchObject({ code: 'ERR_GRANTS_QUOTA' })
})

it('opens nothing that is not asked for', async () => {
  const xen = await Xen.open({ on: world.xen })
  expect(await world.xen.counters()).toMatchObject({ sessions: 0, files: 0 })
  await xen.close()
  for (const part of ['grants', 'mapper', 'events'] as const)
    await expect(xen[part]()).rejects.toMatchObject({ code: 'ERR_GRANTS_CLOSED' })
  await xen.close()
})

it('hands out nothing that was being opened when it was closed', async () => {
  const xen = await Xen.open({ on: world.xen })
  const opening = [xen.grants(), xen.mapper(), xen.events()]
  const closing = xen.close()
  const outcomes = await Promise.allSettled(opening)
  await closing
  expect(outcomes.map((one) => one.status === 'rejected' && one.reason.code)).toEqual(
    Array(3).fill('ERR_GRANTS_CLOSED'),
  )
})

it('opens a part anew that has been closed by itself, and tries again what could not be opened', async () => {
  await using xen = await Xen.open({ on: world.xen })
  await world.xen.failNext('gntdev.open', 'EMFILE')
  await expect(xen.mapper()).rejects.toMatchObject({ code: 'EMFILE' })
  const mapper = await xen.mapper()
  await mapper.close()
  expect(await xen.mapper()).not.toBe(mapper)
})

it('forces what waits when it is closed again with force', async () => {
  const xen = await Xen.open({ on: world.xen })
  const server = await xen.grants()
  const grant = await server.share({ domid: 7, pages: 1 })
  // A lease of its own keeps an orderly close waiting.
  const attached = await server.attach(grant.handle())
  const module = new URL('../fixtures/filler.mjs', import.meta.url)
  const running = expect(attached.run(module, { args: { do: 'hang' } })).rejects.toMatchObject({
    code: 'ERR_GRANTS_UNSHARED',
  })
  const closing = xen.close()
  await xen.close({ force: true })
  await closing
  await running
})

it('is open for nobody whose signal has been aborted, and refuses what is no domain', async () => {
  const reason = new Error('enough')
  await expect(Xen.open({ on: world.xen, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  const stop = new AbortController()
  const xen = await Xen.open({ on: world.xen, signal: stop.signal })
  const server = await xen.grants()
  stop.abort(reason)
  await expect(xen.mapper()).rejects.toBe(reason)
  expect((await server.stats()).clients).toBe(1)
  await xen.close()
  for (const on of [{}, '/dev/xen', null] as unknown as DomainStandIn[])
    await expect(Xen.open({ on })).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
  await expect(Xen.open({ grant: {} } as never)).rejects.toThrow(TypeError)
})
