import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { connect, listen } from 'xen-grants/vchan'
import { guest } from '../guest/domains.mjs'
import { startInGuest, startPeerInGuest } from '../guest/guest-program.mjs'
import { equal, leavingNothing, newPath, prepare } from '../guest/vchan-checks.mjs'
import { xenOfThisProcess } from '../guest/vchan-ends.mjs'

const FIVE_MINUTES = 300_000
const BYTES = 200_000

const echo = (socket) => socket.on('error', () => {}).pipe(socket)

/** Services of dom0 for a domain: an echo, and HTTP beside it. */
async function served(t, domid) {
  await prepare(t)
  const xen = await xenOfThisProcess()
  const server = http.createServer((request, response) => response.end(request.url))
  const service = await listen(xen, { name: 'svc', domids: [domid] }, echo)
  const web = await listen(xen, { name: 'svcw', domids: [domid] }, (socket) =>
    server.emit('connection', socket),
  )
  t.defer(async () => {
    server.closeAllConnections()
    await Promise.all([service.close({ force: true }), web.close({ force: true })])
  })
  return service
}

/** Clients in processes of their own, some of which kill themselves in the middle: test/fixtures/service-crowd.mjs. */
async function crowd(t, { processes, connections, atOnce }) {
  const xen = await xenOfThisProcess()
  const service = await listen(xen, { name: 'crowd', domids: [0], window: 4096 }, echo)
  t.defer(() => service.close({ force: true }))
  const run = async (number, mortal) => {
    const options = { domid: 0, server: 0, name: 'crowd', seed: 1000 + number, connections, atOnce, mortal }
    const { code, signal, stderr } = await t
      .node('../../fixtures/service-crowd.mjs', JSON.stringify(options))
      .end()
    assert.deepEqual([mortal ? signal : code, stderr], [mortal ? 'SIGKILL' : 0, ''])
    if (mortal) await run(number + 100, false)
  }
  await Promise.all(Array.from({ length: processes }, (_, i) => run(i, i % 3 === 0)))
  // A listener of the last that was killed may just be hearing of it.
  await service.close()
  assert.ok(service.stats().accepted >= processes * connections)
}

export default {
  name: 'services',
  tests: [
    {
      name: 'dom0 listens: Node in a guest hears what it has said, also over HTTP',
      timeoutMs: FIVE_MINUTES,
      async run(t) {
        const domain = await guest('vchan', 'node')
        await served(t, domain.domid)
        const client = await startInGuest(domain, 'service-client.mjs', 0, 'svc', BYTES, 30)
        assert.deepEqual(await client.line('done'), { received: BYTES, equal: true, right: 30 })
      },
    },
    {
      name: 'dom0 listens: libxenvchan in a guest is served, one after the other',
      timeoutMs: FIVE_MINUTES,
      async run(t) {
        const domain = await guest('vchan', 'node')
        const service = await served(t, domain.domid)
        const path = `/local/domain/0/data/vchan/${domain.domid}/svc`
        for (const seed of [1, 2]) {
          const words = ['waits', `put=${BYTES}`, `take=${BYTES}`, `seed=${seed}`]
          const client = await startPeerInGuest(domain, 'vchan', 'client', 0, path, ...words)
          equal(await client.line('done'), { sent: BYTES, received: BYTES, seed })
        }
        assert.equal(service.stats().accepted, 2)
      },
    },
    {
      name: 'a guest listens: dom0 hears what it has said',
      timeoutMs: FIVE_MINUTES,
      async run(t) {
        await prepare(t)
        const domain = await guest('vchan', 'node')
        await startInGuest(domain, 'service.mjs', 'svg', 0)
        const xen = await xenOfThisProcess()
        const sockets = await Promise.all(
          [1, 2, 3].map(() => connect(xen, { domid: domain.domid, name: 'svg', timeout: 120_000 })),
        )
        for (const [i, socket] of sockets.entries()) {
          t.defer(() => socket.destroy())
          socket.write(`words of ${i}`)
          assert.equal(String((await once(socket, 'data'))[0]), `words of ${i}`)
        }
      },
    },
    {
      name: 'a guest that is destroyed: its connections end, and what was offered to it is taken back',
      timeoutMs: FIVE_MINUTES,
      async run(t) {
        await prepare(t)
        const domain = await guest('vchan-mortal', 'small')
        const service = await served(t, domain.domid)
        const path = `/local/domain/0/data/vchan/${domain.domid}/svc`
        const connected = once(service, 'connection')
        await startPeerInGuest(domain, 'vchan', 'client', 0, path, 'waits', 'take=1000000')
        const [socket] = await connected
        const failed = once(socket, 'error')
        const gone = once(service, 'gone')
        domain.destroy()
        assert.equal((await failed)[0].code, 'ECONNRESET')
        assert.deepEqual(await gone, [{ domid: domain.domid }])
      },
    },
    {
      name: 'a crowd of clients, some of which are killed: those that live are served, nothing is left of the others',
      timeoutMs: 2 * FIVE_MINUTES,
      run: (t) => leavingNothing(t, newPath(), () => crowd(t, { processes: 5, connections: 12, atOnce: 10 })),
    },
  ],
}
