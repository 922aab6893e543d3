import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { connect, listen, VchanAgent } from 'xen-grants/vchan'
import { equal, leavingNothing } from '../guest/vchan-checks.mjs'
import { C, xenOfThisProcess } from '../guest/vchan-ends.mjs'

const FIVE_MINUTES = 300_000
let services = 0

/** A service of dom0 for dom0, with what it has to leave behind when the work is done: nothing. */
async function withService(t, handler, work) {
  const name = `service-${++services}`
  const path = `/local/domain/0/data/vchan/0/${name}`
  await leavingNothing(t, path, async () => {
    const xen = await xenOfThisProcess()
    const service = await listen(xen, { name, domids: [0] }, handler)
    t.defer(() => service.close({ force: true }))
    await work({ xen, service, name, path })
    await service.close({ force: true })
  })
}

const echo = (socket) => socket.on('error', () => {}).pipe(socket)

/** What a client on libxenvchan sends comes back. */
async function echoed(t, path, seed) {
  const bytes = 50_000
  equal(await C(t, 'client', 0, path, { put: bytes, take: bytes, seed }).done(), {
    sent: bytes,
    received: bytes,
    seed,
  })
}

async function say(xen, name, text) {
  const socket = await connect(xen, { domid: 0, name, timeout: 60_000 })
  socket.write(text)
  let heard = ''
  for await (const chunk of socket) {
    heard += chunk
    if (heard.length === text.length) break
  }
  return heard
}

async function body(options) {
  const [response] = await once(http.request(options).end(options.body), 'response')
  const chunks = []
  for await (const chunk of response) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export default {
  name: 'services',
  tests: [
    {
      name: 'programs on libxenvchan are served, one after the other and at once',
      timeoutMs: FIVE_MINUTES,
      run: (t) =>
        withService(t, echo, async ({ path, service }) => {
          for (const seed of [1, 2, 3]) await echoed(t, path, seed)
          await Promise.all([4, 5, 6].map((seed) => echoed(t, path, seed)))
          const { accepted } = service.stats()
          // Of those at once, one may go on where another has just closed: libxenvchan does not look whether a page is new.
          assert.ok(accepted >= 4 && accepted <= 6, `${accepted} connections`)
        }),
    },
    {
      name: 'ten clients at once hear what they have said',
      timeoutMs: FIVE_MINUTES,
      run: (t) =>
        withService(t, echo, async ({ xen, name }) => {
          const texts = Array.from({ length: 10 }, (_, i) => `words of ${i} `.repeat(100))
          assert.deepEqual(await Promise.all(texts.map((text) => say(xen, name, text))), texts)
        }),
    },
    {
      name: 'HTTP: requests over connections that are kept, and a body of 2 MiB there and back',
      timeoutMs: FIVE_MINUTES,
      async run(t) {
        const server = http.createServer((request, response) => {
          if (request.method === 'POST') request.pipe(response)
          else response.end(`${request.url} for ${request.socket.remoteAddress}`)
        })
        const handler = (socket) => server.emit('connection', socket)
        await withService(t, handler, async ({ xen, service, name }) => {
          const agent = new VchanAgent(xen, { domid: 0, name, keepAlive: true, maxSockets: 2 })
          const paths = Array.from({ length: 20 }, (_, i) => `/${i}`)
          const answers = await Promise.all(paths.map((path) => body({ agent, path })))
          assert.deepEqual(
            answers.map(String),
            paths.map((path) => `${path} for xen:0`),
          )
          const sent = Buffer.alloc(2 << 20, 'a body ')
          assert.ok(sent.equals(await body({ agent, method: 'POST', body: sent })))
          assert.ok(service.stats().accepted <= 2)
          agent.destroy()
          server.closeAllConnections()
        })
      },
    },
    {
      name: 'a service that is killed leaves keys, which the next one removes',
      timeoutMs: FIVE_MINUTES,
      async run(t) {
        const name = `service-${++services}`
        await leavingNothing(t, `/local/domain/0/data/vchan/0/${name}`, async () => {
          const xen = await xenOfThisProcess()
          const mortal = t.node('service.mjs', name)
          assert.equal(await mortal.line(), 'listening')
          const socket = await connect(xen, { domid: 0, name })
          const closed = once(socket.resume(), 'close')
          await mortal.kill()
          await closed
          const service = await listen(xen, { name, domids: [0] }, echo)
          assert.equal(await say(xen, name, 'once more'), 'once more')
          await service.close({ force: true })
        })
      },
    },
  ],
}
