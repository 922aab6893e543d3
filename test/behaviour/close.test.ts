import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { GrantServer } from 'xen-grants'
import { rejection, useXen } from '../setup/xen.js'

const world = useXen()
const open = () =>
  GrantServer.open({ device: world.xen, fillers: { threads: 1, inPlaceBelow: 0, abortGrace: 50 } })

describe('close', () => {
  it('takes back every grant, so that views read zeros, and emits close', async () => {
    const server = await open()
    const grants = await Promise.all([1, 2, 3].map((pages) => server.share({ domid: 7, pages })))
    const views = grants.map(({ bytes }) => bytes.fill(1))
    const closed = once(server, 'close')
    await server.close()
    await closed
    expect(grants.map(({ bytes }) => bytes.length)).toEqual([0, 0, 0])
    for (const view of views) expect(view.every((byte) => byte === 0)).toBe(true)
  })

  it('may be called again, also while it is going on', async () => {
    const server = await open()
    await Promise.all([server.close(), server.close(), server.close({ force: true })])
    await server.close()
  })

  it('makes every later call reject', async () => {
    const server = await open()
    const grant = await server.share({ domid: 7, pages: 1 })
    await server.close()
    for (const use of [
      () => server.share({ domid: 7, pages: 1 }),
      () => server.stats(),
      async () => server.connect(),
    ]) {
      expect((await rejection((async () => use())())).code).toBe('ERR_GRANTS_CLOSED')
    }
    expect((await rejection(grant.fill({ byte: 1 }))).code).toBe('ERR_GRANTS_UNSHARED')
    await grant.unshare()
  })

  it('finishes work in flight', async () => {
    const server = await open()
    const grant = await server.share({ domid: 7, pages: 512 })
    const filling = grant.fill({ byte: 5 })
    const sharing = Promise.allSettled([
      server.share({ domid: 7, pages: 1 }),
      server.share({ domid: 7, pages: 2 }),
    ])
    await server.close()
    expect((await filling).bytes).toBe(512 * 4096)
    await sharing
  })

  it('by force aborts work in flight', async () => {
    const server = await open()
    const grant = await server.share({ domid: 7, pages: 1 })
    const spinning = rejection(
      grant.run(new URL('../fixtures/filler.mjs', import.meta.url), { args: { do: 'hang' } }),
    )
    await server.close({ force: true })
    expect((await spinning).code).toBe('ERR_GRANTS_UNSHARED')
  })

  it('rejects requests that wait for pages', async () => {
    const server = await GrantServer.open({ device: world.xen, maxPages: 1 })
    await server.share({ domid: 7, pages: 1 })
    const waiting = rejection(server.share({ domid: 7, pages: 1, wait: true }))
    await server.stats()
    await server.close()
    expect((await waiting).code).toBe('ERR_GRANTS_CLOSED')
  })
})
