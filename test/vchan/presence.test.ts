// The node by which a client in a guest learns that the domain of its server is gone.
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { Vchan } from 'xen-grants/vchan'
import { finished, node } from '../setup/process.js'
import { ended } from './ends.js'
import { CLIENT, PATH, SERVER, useSharedEnds } from './shared-ends.js'

const ends = useSharedEnds()
const OPEN = `${PATH}/open`
const program = fileURLToPath(new URL('../fixtures/vchan-peer.mjs', import.meta.url))

async function nonces(): Promise<string[] | undefined> {
  const store = await ends.server.store()
  return (await store.exists(OPEN)) ? store.list(OPEN) : undefined
}

/** Resolves when a server has published its keys. */
async function offered(): Promise<void> {
  const store = await ends.server.store()
  await store.waitFor(`${PATH}/ring-ref`, (value) => value !== undefined)
}

/** A server in a process of its own, and the client that it has here. */
async function serverProcess(): Promise<{ client: Vchan; kill(): Promise<void> }> {
  const server = { role: 'server', domid: SERVER, peer: CLIENT, at: PATH, say: 'hello' }
  const child = node(program, JSON.stringify({ path: ends.xen.path, ...server }))
  const over = finished(child)
  let killed: Promise<unknown> | undefined
  const kill = async (): Promise<void> => {
    killed ??= Promise.resolve(child.kill('SIGKILL')).then(() => over)
    await killed
  }
  ends.after(kill)
  const client = await Vchan.connect(ends.client, { domid: SERVER, path: PATH })
  ends.keep(client)
  await once(client, 'data')
  return { client, kill }
}

describe('the node of a vchan', () => {
  it('is there for its client while that is offered or open, and goes with the directories it was in', async () => {
    const store = await ends.server.store()
    const serving = Vchan.serve(ends.server, { domid: CLIENT, path: PATH })
    await offered()
    const nonce = (await store.readText(`${PATH}/id`)).slice(0, 16)
    expect(await nonces()).toEqual([nonce])
    const readers = [
      { domid: SERVER, access: 'none' },
      { domid: CLIENT, access: 'read' },
    ]
    expect(await store.permissions(OPEN)).toEqual(readers)
    expect(await store.permissions(`${OPEN}/${nonce}`)).toEqual(readers)
    const client = await Vchan.connect(ends.client, { domid: SERVER, path: PATH })
    const server = await serving
    ends.keep(server, client)
    await store.waitFor(`${PATH}/ring-ref`, (value) => value === undefined)
    expect(await nonces()).toEqual([nonce])
    client.destroy()
    await ended(server)
    expect(await store.exists(PATH)).toBe(false)
  })

  it('goes with an offer that is taken back', async () => {
    const stop = new AbortController()
    const serving = Vchan.serve(ends.server, { domid: CLIENT, path: PATH, signal: stop.signal })
    await offered()
    stop.abort()
    await expect(serving).rejects.toThrow()
    expect(await nonces()).toBeUndefined()
  })

  it('is one for all that a program serves at a path, and goes with the last', async () => {
    const first = await ends.pair()
    const left = await nonces()
    const second = await ends.pair()
    expect(left).toHaveLength(1)
    expect(await nonces()).toEqual(left)
    second[1].destroy()
    await ended(second[0])
    expect(await nonces()).toEqual(left)
    first[1].destroy()
    await ended(first[0])
    expect(await nonces()).toBeUndefined()
  })

  it('is not made where domain 0 or the same domain is at the other end', async () => {
    for (const domid of [0, SERVER]) {
      const stop = new AbortController()
      const serving = Vchan.serve(ends.server, { domid, path: PATH, signal: stop.signal })
      await offered()
      expect(await nonces()).toBeUndefined()
      stop.abort()
      await expect(serving).rejects.toThrow()
    }
  })

  it('of a process that was killed is removed by the next server at its path', async () => {
    const { client, kill } = await serverProcess()
    const [left] = (await nonces())!
    await kill()
    await ended(client)
    expect(await nonces()).toEqual([left])
    await ends.pair()
    expect(await nonces()).not.toContain(left)
  })

  it('of a process that lives is left by the next server at its path', async () => {
    const { client, kill } = await serverProcess()
    const living = (await nonces())!
    await ends.pair()
    expect(await nonces()).toEqual(expect.arrayContaining(living))
    expect(client.destroyed).toBe(false)
    const store = await ends.server.store()
    ends.after(() => store.remove(PATH))
    await kill()
    await ended(client)
  })

  it.each([
    ['left when', 63, 1],
    ['so many that no other is made, when', 64, 0],
  ])('is %s nobody can tell whose it is', async (_, strangers, own) => {
    const store = await ends.server.store()
    for (let i = 0; i < strangers; i++) await store.write(`${OPEN}/${i}`, i % 2 ? '' : '1-1 1 1 1')
    ends.after(() => store.remove(PATH))
    const [server, client] = await ends.pair()
    expect(await nonces()).toHaveLength(strangers + own)
    client.end('still')
    expect(String((await once(server, 'data'))[0])).toBe('still')
    await ended(server)
    expect(await nonces()).toHaveLength(strangers)
    await store.remove(OPEN)
    await ends.pair()
    expect(await nonces()).toHaveLength(1)
  })
})

it('a node that vanishes, while its server says that it is open, ends the stream of its client', async () => {
  const [server, client] = await ends.pair()
  const store = await ends.server.store()
  const [nonce] = (await nonces())!
  await store.write(`${OPEN}/${nonce}`, '\0nonsense')
  server.write('still there')
  expect(String((await once(client, 'data'))[0])).toBe('still there')
  const failed = once(client, 'error')
  await store.remove(`${OPEN}/${nonce}`)
  expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET', domid: SERVER })
})
