// The place of a service in xenstore belongs to one service of its domain at a time.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { Xen } from 'xen-grants'
import { listen, type ServiceSocket } from 'xen-grants/vchan'
import { ownerHere } from '../../src/vchan/owner.js'
import { finished, node } from '../setup/process.js'
import { CLIENT, exchange, NAME, OTHER, SERVER, useServices } from './shared-services.js'

const net = useServices()
const echo = (socket: ServiceSocket): void => void socket.on('error', () => {}).pipe(socket)
const base = `data/vchan/${CLIENT}/${NAME}`

it('of two services of one process with a Xen each, the second is refused', async () => {
  const own = await Xen.open({ on: net.xen.domain(SERVER) })
  net.after(() => own.close())
  const service = await net.listen({ domids: [CLIENT] }, echo)
  await expect(listen(own, { name: NAME, domids: [CLIENT] })).rejects.toMatchObject({
    code: 'EADDRINUSE',
    domid: CLIENT,
    message: expect.stringContaining(`process ${process.pid}`),
  })
  expect(await exchange(await net.connect(), 'the first')).toBe('the first')
  // Another name, or for another domain, is another place.
  await (await listen(own, { name: NAME, domids: [OTHER] })).close()
  await service.close({ force: true })
  await (await listen(own, { name: NAME, domids: [CLIENT] })).close()
})

it('that of another process counts as long as the process lives', async () => {
  const options = { path: net.xen.path, domid: SERVER, name: NAME, domids: [CLIENT] }
  const fixture = new URL('../fixtures/echo-service.mjs', import.meta.url).pathname
  const child = node(fixture, JSON.stringify(options))
  const end = finished(child)
  await once(child.stdout!, 'data')
  await expect(net.listen({ domids: [CLIENT] })).rejects.toMatchObject({
    code: 'EADDRINUSE',
    message: expect.stringContaining(`process ${child.pid}`),
  })
  expect(await exchange(await net.connect(), 'theirs')).toBe('theirs')
  child.kill('SIGKILL')
  await end
  const service = await net.listen({ domids: [CLIENT] }, echo)
  expect(await exchange(await net.connect(), 'ours')).toBe('ours')
  await service.close({ force: true })
})

it('that of another thread counts as long as the thread lives', async () => {
  const program = `
    const { parentPort, workerData } = require('node:worker_threads')
    ;(async () => {
      const { Xen } = await import('xen-grants')
      const { SimulatedXen } = await import('xen-grants/simulated')
      const { listen } = await import('xen-grants/vchan')
      const xen = await Xen.open({ on: (await SimulatedXen.attach(workerData.path)).domain(${SERVER}) })
      await listen(xen, { name: '${NAME}', domids: [${CLIENT}] })
      parentPort.postMessage('listens')
    })()`
  const worker = new Worker(program, { eval: true, workerData: { path: net.xen.path } })
  await once(worker, 'message')
  await expect(net.listen({ domids: [CLIENT] })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await worker.terminate()
  await (await net.listen({ domids: [CLIENT] })).close()
})

it.each([
  ['of this thread, of a service that could not remove it', () => `${ownerHere()} 0123456789abcdef`],
  ['of a process that cannot be judged here', () => '1-1 1 1 1 0123456789abcdef'],
  ['in no form that is known', () => 'nonsense'],
])('a claim %s is taken over', async (_, value) => {
  const store = await net.domain(SERVER).store()
  await store.write(`${base}/listener`, value())
  const service = await net.listen({ domids: [CLIENT] }, echo)
  expect(await exchange(await net.connect(), 'served')).toBe('served')
  await service.close({ force: true })
})

it('one that has been taken over is not removed by who had it', async () => {
  const store = await net.domain(SERVER).store()
  const service = await net.listen({ domids: [CLIENT] })
  await store.write(`${base}/listener`, 'of another')
  await service.close()
  expect(await store.readText(`${base}/listener`)).toBe('of another')
  await store.remove(base)
})
