import { once } from 'node:events'
import { expect, it } from 'vitest'
import { GrantMapper, GrantServer } from 'xen-grants'
import { rejection, useXen } from '../setup/xen.js'

const world = useXen()
const key = Symbol.for('xen-grants.map-descriptor')

function mortal(): never {
  const descriptor = (world.xen.domain(7) as unknown as Record<symbol, object>)[key]
  const module = new URL('../fixtures/mortal-maps.mjs', import.meta.url).href
  return { [key]: { ...descriptor, module } } as never
}

it('when the mapping worker dies, what it had mapped is harmless, and the granter knows', async () => {
  await using server = await GrantServer.open({ device: world.xen })
  const mapper = await GrantMapper.open({ device: mortal(), fillers: { threads: 1 } })
  const grant = await server.share({ domid: 7, pages: 2, writable: true })
  const mapped = await mapper.map({ domid: 0, offer: await grant.offer() })
  const view = mapped.bytes.fill(5)
  expect(grant.peer).toBe('mapped')
  const [closed, failed] = [once(mapper, 'close'), once(mapper, 'error')]
  const silent = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }
  const pending = [
    (mapped as typeof mapped & { writable: true }).fill(silent),
    mapper.map({ domid: 0, refs: [30_101] }),
  ]
  for (const failure of await Promise.all(pending.map(rejection)))
    expect(failure.code).toBe('ERR_GRANTS_WORKER_DIED')
  await closed
  expect((await failed)[0]).toMatchObject({ code: 'ERR_GRANTS_WORKER_DIED' })
  expect([mapped.bytes.length, view.every((byte) => byte === 0), grant.bytes[9]]).toEqual([0, true, 5])
  expect(await grant.released()).toBe('released')
  for (const use of [mapper.map({ domid: 0, refs: grant.refs }), mapped.setUnmapNotify({}), mapper.copy([])])
    expect((await rejection(use)).code).toBe('ERR_GRANTS_WORKER_DIED')
  await mapped.unmap()
  await mapper.close()
  while ((await world.xen.counters()).sessions > 1) await new Promise((resolve) => setImmediate(resolve))
})
