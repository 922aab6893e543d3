// What happens to a service when a process, a worker, xenstored or a domain dies.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { GrantError } from 'xen-grants'
import { connect, listen, type ServiceSocket } from 'xen-grants/vchan'
import { useDomains } from '../setup/domains.js'
import { killers, mortalDomain } from '../setup/mortal-domain.js'
import { finished, node } from '../setup/process.js'
import { useXen } from '../setup/xen.js'
import { ended, failure } from '../vchan/ends.js'
import { CLIENT, exchange, NAME, OTHER, SERVER } from './shared-services.js'

const world = useXen({ limit: 2048, freePerIteration: 1000 })
const { open, children } = useDomains(world)
const echo = (socket: ServiceSocket): void => void socket.on('error', () => {}).pipe(socket)

/** In a process of its own, once it listens. */
async function echoService(domids: number[]): Promise<ChildProcess> {
  const options = { path: world.xen.path, domid: SERVER, name: NAME, domids }
  const child = node(
    fileURLToPath(new URL('../fixtures/echo-service.mjs', import.meta.url)),
    JSON.stringify(options),
  )
  children.push(child)
  await once(child.stdout!, 'data')
  return child
}

it('when the process of a service is killed its clients hear of it, and the next one serves as if nothing had been', async () => {
  const client = await open(CLIENT)
  const first = await echoService([CLIENT, OTHER])
  const socket = await connect(client, { domid: SERVER, name: NAME })
  expect(await exchange(socket, 'one')).toBe('one')
  const end = finished(first)
  first.kill('SIGKILL')
  // It may have been killed between its answer and saying that it has taken the question.
  expect([undefined, 'ECONNRESET']).toContain(((await failure(socket)) as GrantError | undefined)?.code)
  await end
  // The keys of the first lead nowhere.
  await expect(connect(client, { domid: SERVER, name: NAME, timeout: 0 })).rejects.toMatchObject({
    code: 'ETIMEDOUT',
  })
  const waiting = connect(client, { domid: SERVER, name: NAME })
  await echoService([CLIENT])
  const again = await waiting
  expect(await exchange(again, 'two')).toBe('two')
  again.destroy()
  await ended(again)
})

it.each(['grants', 'events'] as const)(
  'when the worker of its %s dies the service says so and goes on with another',
  async (part) => {
    const server = await open(SERVER, mortalDomain(world.xen, SERVER))
    const client = await open(CLIENT)
    const service = await listen(server, { name: NAME, domids: [CLIENT] }, echo)
    const store = await server.store()
    const ref = `data/vchan/${CLIENT}/${NAME}/ring-ref`
    const first = await store.readText(ref)
    const before = await connect(client, { domid: SERVER, name: NAME })
    expect(await exchange(before, 'before')).toBe('before')
    await store.waitFor(ref, (value) => value !== undefined && String(value) !== first)
    const unavailable = once(service, 'unavailable')
    const warned = once(process, 'warning')
    await killers[part](server)
    expect(await unavailable).toMatchObject([{ domid: CLIENT, error: { code: 'ERR_GRANTS_WORKER_DIED' } }])
    await warned
    await ended(before)
    const after = await connect(client, { domid: SERVER, name: NAME })
    expect(await exchange(after, 'after')).toBe('after')
    await service.close({ force: true })
    await ended(after)
  },
)

it('when the connection to xenstored ends, streams go on and so does the service', async () => {
  const server = await open(SERVER)
  const client = await open(CLIENT)
  const service = await listen(server, { name: NAME, domids: [CLIENT] }, echo)
  const socket = await connect(client, { domid: SERVER, name: NAME })
  await (await server.store()).close()
  expect(await exchange(socket, 'still here')).toBe('still here')
  // This one takes the offer that stood, the next one the first that the service has published anew.
  for (const text of ['second', 'third']) {
    const other = await connect(client, { domid: SERVER, name: NAME })
    expect(await exchange(other, text)).toBe(text)
    other.destroy()
    await ended(other)
  }
  await service.close({ force: true })
  await ended(socket)
})

it('when a domain is destroyed its connections end and the others do not', async () => {
  const server = await open(SERVER)
  const lost: ServiceSocket[] = []
  const service = await listen(server, { name: NAME, domids: [CLIENT, OTHER] }, (socket) => {
    echo(socket)
    if (socket.domid === CLIENT) lost.push(socket)
  })
  const dying = await open(CLIENT)
  const living = await open(OTHER)
  const there = await connect(dying, { domid: SERVER, name: NAME })
  const here = await connect(living, { domid: SERVER, name: NAME })
  there.on('error', () => {})
  await exchange(there, 'x')
  const over = failure(lost[0]!)
  const gone = once(service, 'gone')
  await world.xen.domain(CLIENT).destroy()
  expect(await gone).toEqual([{ domid: CLIENT }])
  expect(await over).toMatchObject({ code: 'ECONNRESET' })
  expect(await exchange(here, 'still here')).toBe('still here')
  expect(service.address().domids).toEqual([OTHER])
  const store = await server.store()
  await store.waitFor(`data/vchan/${CLIENT}/${NAME}/ring-ref`, (value) => value === undefined)
  await service.close({ force: true })
  await ended(here)
})

it('when a domain is destroyed as soon as its client has come, before Xen was asked for it, the service tells that it is gone', async () => {
  const client = await open(CLIENT)
  await client.store()
  // Its workers are there, so that connecting takes less than the time to the first question.
  await Promise.all([client.mapper(), client.events()])
  const server = await open(SERVER)
  const service = await listen(server, { name: NAME, domids: [CLIENT] }, echo)
  const gone = once(service, 'gone')
  const connected = once(service, 'connection')
  const socket = await connect(client, { domid: SERVER, name: NAME })
  socket.on('error', () => {})
  await connected
  await world.xen.domain(CLIENT).destroy()
  expect(await gone).toEqual([{ domid: CLIENT }])
  expect(service.address().domids).toEqual([])
  await service.close({ force: true })
})
