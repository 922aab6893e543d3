import assert from 'node:assert/strict'
import { bytesFor, equal, exchange, gone, leavingNothing, newPath, prepare } from '../guest/vchan-checks.mjs'
import { C, Node, NodeProcess } from '../guest/vchan-ends.mjs'
import { killed } from '../guest/vchan-kills.mjs'
import { proxied } from '../guest/vchan-proxy.mjs'

const ROLES = [
  ['libxenvchan serves, Node connects', C, Node],
  ['Node serves, libxenvchan connects', Node, C],
]
/** Within the shared page on one side or both, and the largest. All of them: test/xen/slow/vchan.mjs. */
const RINGS = [
  { receive: 1024, send: 2048 },
  { receive: 2048, send: 4096 },
  { receive: 4096, send: 65536 },
  { receive: 1 << 20, send: 1 << 20 },
]

const exchanges = ROLES.flatMap(([roles, ServerEnd, ClientEnd]) =>
  RINGS.map((rings) => ({
    name: `${roles}: bytes and checksums equal, both ways at once, rings of ${rings.receive} and ${rings.send}`,
    run: (t) => exchange(t, ServerEnd, ClientEnd, { rings, bytes: bytesFor(rings) }),
  })),
)

const wraps = [0xfffffff0, 0x7ffffff0].map((start) => ({
  name: `a Node client of indexes that start at ${start}`,
  run: (t) =>
    exchange(t, C, Node, { rings: { receive: 4096, send: 8192 }, bytes: 100_000, server: { start } }),
}))

/** Who closes has just sent as much as fits; the other end has looked at none of it. */
const tails = ROLES.flatMap(([roles, ServerEnd, ClientEnd]) =>
  ['server', 'client'].map((closer) => ({
    name: `${roles}: the ${closer} closes, and its last bytes arrive`,
    async run(t) {
      const path = newPath()
      await leavingNothing(t, path, async () => {
        const options = (role) => (role === closer ? { put: 65536, take: 0, seed: 3 } : {})
        const server = ServerEnd(t, 'server', 0, path, options('server'))
        const client = ClientEnd(t, 'client', 0, path, options('client'))
        const [atServer, atClient] = await Promise.all([server.done(), client.done()])
        equal(closer === 'server' ? atClient : atServer, { sent: 0, received: 65536, seed: 3 })
      })
    },
  })),
)

export default {
  name: 'vchan',
  tests: [
    ...exchanges,
    ...wraps,
    ...tails,
    ...killed(C, 1),
    {
      name: 'a Node client is killed: its C server takes what was sent and sees the end',
      async run(t) {
        const path = newPath()
        await leavingNothing(t, path, async () => {
          const server = C(t, 'server', 0, path, {})
          const client = NodeProcess(t, 'client', 0, path, { put: 200_000, die: 100_000, seed: 5 })
          await client.connected()
          const { received } = await server.done()
          // What it had written may have been on its way to the ring.
          assert.ok(received <= 200_000, `${received}`)
        })
      },
    },
    {
      name: 'a Node server is killed: its C client sees the end, and no key is left',
      async run(t) {
        const path = newPath()
        await leavingNothing(t, path, async () => {
          const client = C(t, 'client', 0, path, {})
          const server = NodeProcess(t, 'server', 0, path, { echo: true })
          await server.connected()
          // Beside the first bytes it removes its keys.
          await gone(path)
          await server.kill()
          assert.equal((await client.done()).received, 0)
        })
      },
    },
    {
      name: 'a Node client waits for a C server that is not there yet',
      async run(t) {
        await prepare(t)
        const path = newPath()
        const client = Node(t, 'client', 0, path, { put: 10, take: 20, seed: 6 })
        const server = C(t, 'server', 0, path, { put: 20, take: 10, seed: 7 })
        equal(await client.done(), { sent: 10, received: 20, seed: 7 })
        equal(await server.done(), { sent: 20, received: 10, seed: 6 })
      },
    },
    {
      name: 'a C client comes back, to one Vchan.serve after the other',
      async run(t) {
        const path = newPath()
        await leavingNothing(t, path, async () => {
          const client = C(t, 'client', 0, path, { times: 3 })
          for (const seed of [1, 2, 3]) {
            await Node(t, 'server', 0, path, { put: 5000, take: 0, seed }).done()
            equal(await client.done(), { sent: 0, received: 5000, seed })
          }
        })
      },
    },
    {
      name: 'a Node client comes back to the same C server, whose indexes have moved on',
      async run(t) {
        await prepare(t)
        const path = newPath()
        const server = C(t, 'server', 0, path, { persist: true, echo: true })
        await server.serving()
        for (const seed of [1, 2, 3]) {
          const client = Node(t, 'client', 0, path, { put: 50_000, take: 50_000, seed })
          equal(await client.done(), { sent: 50_000, received: 50_000, seed })
        }
        await server.kill()
      },
    },
    {
      name: 'Node at both ends, in two processes',
      run: (t) => exchange(t, Node, NodeProcess, { bytes: 1 << 20 }),
    },
    ...proxied(Node),
  ],
}
