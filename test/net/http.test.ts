import { createHash, randomBytes } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import http from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fetch, Agent as UndiciAgent } from 'undici'
import { expect, it } from 'vitest'
import { connector, type Service, VchanAgent } from 'xen-grants/vchan'
import { CLIENT, NAME, SERVER, useServices } from './shared-services.js'

const net = useServices()
const MIB = 1 << 20
const BODY = Number(process.env.XEN_GRANTS_BODY ?? 8) * MIB

/** An HTTP server that listens to domain 5, and an agent there. */
async function served(
  handler: http.RequestListener,
  options: http.AgentOptions = {},
): Promise<{ server: http.Server; service: Service; agent: VchanAgent }> {
  const server = http.createServer(handler)
  const service = await net.listen({}, (socket) => server.emit('connection', socket))
  const agent = new VchanAgent(net.domain(CLIENT), { domid: SERVER, name: NAME, ...options })
  net.after(async () => {
    server.closeAllConnections()
    agent.destroy()
  })
  return { server, service, agent }
}

async function request(
  options: http.RequestOptions,
  body: Iterable<Uint8Array> = [],
): Promise<{ response: http.IncomingMessage; text: string }> {
  const sent = http.request(options)
  const answered = once(sent, 'response') as Promise<[http.IncomingMessage]>
  await Promise.all([answered, pipeline(Readable.from(body), sent)])
  const [response] = await answered
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += chunk
  return { response, text }
}

async function hashOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}

it('answers requests from another domain', async () => {
  const { agent } = await served((asked, answer) => answer.end(`${asked.method} ${asked.url}`))
  const { response, text } = await request({ agent, path: '/a?b=c' })
  expect(response.statusCode).toBe(200)
  expect(text).toBe('GET /a?b=c')
})

it('tells the server which domain asks', async () => {
  const { agent } = await served((asked, answer) => answer.end(String(asked.socket.remoteAddress)))
  expect((await request({ agent })).text).toBe(`xen:${CLIENT}`)
})

it('keeps connections alive: a hundred requests over a few', async () => {
  const { agent, service } = await served((asked, answer) => answer.end(asked.url), {
    keepAlive: true,
    maxSockets: 4,
  })
  const urls = Array.from({ length: 100 }, (_, i) => `/${i}`)
  const texts = await Promise.all(urls.map(async (path) => (await request({ agent, path })).text))
  expect(texts).toEqual(urls)
  expect(service.stats().accepted).toBeLessThanOrEqual(4)
})

it('closes each connection when it is not to be kept', async () => {
  const { agent, service } = await served((_asked, answer) => answer.end('x'), { keepAlive: false })
  for (let i = 0; i < 3; i++) expect((await request({ agent })).text).toBe('x')
  expect(service.stats().accepted).toBe(3)
})

it(`bodies of ${BODY / MIB} MiB go both ways at once, with backpressure`, { timeout: 300_000 }, async () => {
  const { agent } = await served((asked, answer) => void pipeline(asked, answer).catch(() => {}))
  const block = randomBytes(MIB)
  const hash = createHash('sha256')
  let most = 0
  const sent = http.request({ agent, method: 'POST' })
  const answered = once(sent, 'response') as Promise<[http.IncomingMessage]>
  const upload = pipeline(function* () {
    for (let left = BODY; left > 0; left -= MIB) {
      hash.update(block)
      most = Math.max(most, sent.writableLength)
      yield block
    }
  }, sent)
  const [response] = await answered
  const [heard] = await Promise.all([hashOf(response), upload])
  expect(heard).toBe(hash.digest('hex'))
  expect(most).toBeLessThanOrEqual(2 * MIB)
})

it('an upload that is aborted closes the connection, and the next request has another', async () => {
  const heard: unknown[] = []
  const { agent, server } = await served(
    (asked, answer) => {
      asked.on('error', (error) => heard.push(error))
      asked.resume().on('end', () => answer.end('done'))
    },
    { keepAlive: true },
  )
  const asked = once(server, 'request') as Promise<[http.IncomingMessage]>
  const stop = new AbortController()
  const sent = http.request({ agent, method: 'POST', signal: stop.signal })
  const failed = once(sent, 'error')
  sent.write(Buffer.alloc(MIB))
  const [incoming] = await asked
  const closed = new Promise((resolve) => incoming.once('close', resolve))
  stop.abort()
  expect((await failed)[0]).toMatchObject({ name: 'AbortError' })
  await closed
  expect(incoming.complete).toBe(false)
  expect((await request({ agent, method: 'POST' }, [Buffer.from('x')])).text).toBe('done')
})

it('a download that nobody wants any more ends at the server', async () => {
  const { agent, server } = await served((_asked, answer) => {
    const more = (): void => {
      while (!answer.destroyed && answer.write(Buffer.alloc(64 << 10)));
    }
    answer.on('drain', more)
    more()
  })
  const asked = once(server, 'request') as Promise<[http.IncomingMessage, http.ServerResponse]>
  const sent = http.get({ agent })
  const [response] = (await once(sent, 'response')) as [http.IncomingMessage]
  const [, answer] = await asked
  const closed = once(answer, 'close')
  response.destroy()
  await closed
})

it('the server can upgrade to something else', async () => {
  const { agent, server } = await served(() => {})
  server.on('upgrade', (_asked, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    socket.on('error', () => {}).pipe(socket)
  })
  const sent = http.get({ agent, headers: { Connection: 'Upgrade', Upgrade: 'echo' } })
  const [, socket] = await once(sent, 'upgrade')
  socket.write('raw bytes')
  expect(String((await once(socket, 'data'))[0])).toBe('raw bytes')
  socket.destroy()
})

it('a request to a service that is not there fails with what is missing', async () => {
  const agent = new VchanAgent(net.domain(CLIENT), { domid: SERVER, name: 'nobody', connectTimeout: 0 })
  await expect(request({ agent })).rejects.toMatchObject({ code: 'ETIMEDOUT' })
})

it('requests that wait for a connection go on when one could not be made', async () => {
  const own = { domid: SERVER, name: 'nobody', connectTimeout: 0, maxSockets: 1, maxTotalSockets: 1 }
  const agent = new VchanAgent(net.domain(CLIENT), own)
  let tries = 0
  const count = (): void => void tries++
  subscribe('xen-grants:error', count)
  const sent = [1, 2, 3].map(() => http.get({ agent }))
  const errors: unknown[] = []
  for (const one of sent) one.on('error', (error) => errors.push(error))
  await expect.poll(() => errors.length).toBe(3)
  // What would be tried again without end would be so in these.
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  unsubscribe('xen-grants:error', count)
  expect(errors).toEqual(Array(3).fill(expect.objectContaining({ code: 'ETIMEDOUT' })))
  expect(tries).toBe(3)
  expect([agent.sockets, agent.requests]).toEqual([{}, {}])
})

it('failed requests do not keep a later one from the service, once that is there', async () => {
  const own = { domid: SERVER, name: NAME, connectTimeout: 0, maxSockets: 1 }
  const agent = new VchanAgent(net.domain(CLIENT), own)
  const first = http.get({ agent, path: '/first' })
  const failed = once(first, 'error')
  const second = request({ agent, path: '/second' })
  const server = http.createServer((asked, answer) => answer.end(asked.url))
  first.once('error', () => {})
  // The first has looked when there was nobody.
  expect((await failed)[0]).toMatchObject({ code: 'ETIMEDOUT' })
  await second.catch(() => {})
  await net.listen({}, (socket) => server.emit('connection', socket))
  expect((await request({ agent, path: '/third' })).text).toBe('/third')
  agent.destroy()
})

it('without its domain every request fails, once', async () => {
  const { Xen } = await import('xen-grants')
  const gone = await Xen.open({ on: net.xen.domain(CLIENT) })
  await gone.close()
  const agent = new VchanAgent(gone, { domid: SERVER, name: NAME, maxSockets: 1 })
  const all = await Promise.allSettled([1, 2, 3].map(() => request({ agent })))
  expect(all.map((one) => one.status === 'rejected' && one.reason.code)).toEqual(
    Array(3).fill('ERR_GRANTS_CLOSED'),
  )
})

it('destroy() ends also what is being connected', async () => {
  const agent = new VchanAgent(net.domain(CLIENT), { domid: SERVER, name: 'nobody' })
  const sent = http.get({ agent })
  const failed = once(sent, 'error')
  await new Promise((resolve) => setImmediate(resolve))
  agent.destroy()
  expect((await failed)[0]).toMatchObject({ code: 'ERR_GRANTS_CLOSED' })
})

it('a slow client meets the time limits of the server', async () => {
  const { agent, server } = await served((asked, answer) => asked.resume().on('end', () => answer.end('x')))
  server.setTimeout(50)
  const sent = http.request({ agent, method: 'POST', headers: { 'Content-Length': 5 } })
  const failed = once(sent, 'error')
  sent.write('x')
  const [socket] = await once(server, 'timeout')
  socket.destroy()
  expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' })
})

it('fetch goes over it by the dispatcher of undici', async () => {
  await served((asked, answer) => void pipeline(asked, answer).catch(() => {}))
  const connect = connector(net.domain(CLIENT), { domid: SERVER, name: NAME })
  const dispatcher = new UndiciAgent({ connect: connect as never })
  net.after(() => dispatcher.destroy())
  const body = JSON.stringify({ some: 'thing' })
  const answer = await fetch('http://service-of-domain-3/', { method: 'POST', body, dispatcher })
  expect(await answer.json()).toEqual({ some: 'thing' })
  await expect(
    fetch('http://x/', {
      dispatcher: new UndiciAgent({
        connect: connector(net.domain(CLIENT), { domid: SERVER, name: 'no', timeout: 0 }) as never,
      }),
    }),
  ).rejects.toMatchObject({ cause: { code: 'ETIMEDOUT' } })
})
