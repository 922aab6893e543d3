import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { GrantServer } from 'xen-grants'
import { finished, node, script } from '../setup/process.js'
import { rejection, useXen } from '../setup/xen.js'

const names = ['share', 'unshare', 'fill', 'error', 'saturated'].map((name) => `xen-grants:${name}`)
const world = useXen()
let server: GrantServer
let messages: [string, Record<string, unknown>][]
const listener = (message: unknown, name: string | symbol): void => {
  messages.push([String(name).replace('xen-grants:', ''), message as Record<string, unknown>])
}

beforeEach(async () => {
  messages = []
  server = await GrantServer.open({ device: world.xen, maxPages: 10, maxQueue: 2 })
  for (const name of names) subscribe(name, listener)
})
afterEach(async () => {
  for (const name of names) unsubscribe(name, listener)
  await server.close()
})

describe('diagnostics channels', () => {
  it('tell of the life of a grant, in plain data', async () => {
    const grant = await server.share({ domid: 7, pages: 2, writable: true })
    await grant.fill({ byte: 1 })
    await grant.unshare()
    const facts = { id: grant.id, domid: 7 }
    expect(messages).toEqual([
      ['share', { ...facts, pages: 2, writable: true, milliseconds: expect.any(Number) }],
      ['fill', { ...facts, bytes: 8192, slices: 1, milliseconds: expect.any(Number) }],
      ['unshare', { ...facts, pages: 2, force: false }],
    ])
    for (const [, message] of messages) expect(structuredClone(message)).toEqual(message)
  })

  it('tell of an unshare once, however often and in whatever way it is asked for', async () => {
    const grant = await server.share({ domid: 7, pages: 1 })
    const asked = [grant.unshare(), grant.unshare({ force: true }), grant.unshare({ force: true })]
    await Promise.all(asked)
    await grant.unshare()
    expect(messages.filter(([name]) => name === 'unshare')).toHaveLength(1)
  })

  it('tell what rejected, with the error the caller got', async () => {
    const grant = await server.share({ domid: 7, pages: 1 })
    const handle = grant.handle()
    const errors: [string, Error][] = [
      ['share', await rejection(server.share({ domid: 7, pages: 11 }))],
      ['setUnmapNotify', await rejection(grant.setUnmapNotify({ port: 4000 }))],
    ]
    await world.xen.failNext('gntalloc.munmap', 'ENOMEM')
    errors.push(['unshare', await rejection(grant.unshare())])
    await grant.unshare()
    errors.push(['fill', await rejection(grant.fill({ byte: 1 }))])
    errors.push(['run', await rejection(grant.run('x.mjs'))])
    errors.push(['attach', await rejection(server.attach(handle))])
    const told = messages.filter(([name]) => name === 'error').map(([, message]) => message)
    expect(told.map(({ operation, error }) => [operation, error])).toEqual(errors)
  })

  it('tell what nobody waits for', async () => {
    const client = server.connect()
    const { GrantClient } = await import('xen-grants')
    const other = await GrantClient.connect(client)
    await other.share({ domid: 7, pages: 1 })
    for (let i = 0; i < 2; i++) await world.xen.failNext('gntalloc.munmap', 'ENOMEM')
    const failed = once(server, 'error')
    await other.close()
    const [error] = await failed
    expect(messages.at(-1)).toEqual(['error', { operation: 'device worker', error }])
  })

  it('tell that a thread asks for more than may wait', async () => {
    await server.share({ domid: 7, pages: 10 })
    const waiting = [1, 2].map((pages) => rejection(server.share({ domid: 7, pages, wait: true })))
    await rejection(server.share({ domid: 7, pages: 1 }))
    expect(messages).toContainEqual(['saturated', { pending: 2, maxQueue: 2 }])
    await server.close()
    await Promise.all(waiting)
  })
})

describe('NODE_DEBUG=xen-grants', () => {
  it('prints the same', async () => {
    const child = node('examples/quick-start.mjs')
    expect((await finished(child)).stderr).toBe('')
    process.env.NODE_DEBUG = 'xen-grants'
    const { stderr, code } = await finished(node('examples/quick-start.mjs'))
    delete process.env.NODE_DEBUG
    expect(code).toBe(0)
    for (const name of ['share', 'fill', 'unshare']) expect(stderr).toMatch(`xen-grants:${name} {`)
  })

  it('prints an error with its stack, once', async () => {
    process.env.NODE_DEBUG = 'xen-grants'
    const { stderr } = await script(`
      import { GrantServer } from 'xen-grants'
      import { SimulatedXen } from 'xen-grants/simulated'
      const xen = await SimulatedXen.create()
      const server = await GrantServer.open({ device: xen })
      const grant = await server.share({ domid: 7, pages: 1 })
      await grant.setUnmapNotify({ port: 77 }).catch(() => {})
      await server.close()
      await xen.close()
    `)
    delete process.env.NODE_DEBUG
    expect(stderr.split('port 77 is not bound')).toHaveLength(2)
    expect(stderr.split('asked in this thread')).toHaveLength(2)
  })
})
