import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { eventually } from '../../contract/support.mjs'
import { startProgram } from './program.mjs'
import { newPath, prepare } from './vchan-checks.mjs'
import { patternCrc } from './vchan-pattern.mjs'
import { traffic } from './vchan-traffic.mjs'

const BYTES = 100_000

function startProxy(t, mode, path, socket) {
  const proxy = startProgram('vchan-socket-proxy', [`--mode=${mode}`, '0', path, socket])
  t.defer(() => proxy.kill())
  return proxy
}

function sameBothWays(near, far) {
  assert.deepEqual([near.received, near.receivedCrc], [BYTES, patternCrc(2, BYTES)])
  assert.deepEqual([far.received, far.receivedCrc], [BYTES, patternCrc(1, BYTES)])
}

/**
 * Xen's own program between a vchan and a Unix socket: what goes in at one end comes out at the other, both ways at once. It
 * throws away what is in the ring when its side of the socket closes, so both ends wait until they have everything.
 */
export function proxied(Node) {
  return [
    {
      name: 'vchan-socket-proxy serves, Node connects',
      async run(t) {
        await prepare(t)
        const [path, socket] = [newPath(), `/tmp/proxy-${process.pid}-server`]
        const server = createServer().listen(socket)
        t.defer(() => server.close())
        await once(server, 'listening')
        startProxy(t, 'server', path, socket)
        const near = Node(t, 'client', 0, path, { put: BYTES, take: BYTES, seed: 1 })
        const [far] = await once(server, 'connection')
        t.defer(() => far.destroy())
        const atFar = await traffic(far, { put: BYTES, take: BYTES, seed: 2 })
        sameBothWays(await near.done(), atFar)
      },
    },
    {
      name: 'Node serves, vchan-socket-proxy connects',
      async run(t) {
        await prepare(t)
        const [path, socket] = [newPath(), `/tmp/proxy-${process.pid}-client`]
        startProxy(t, 'client', path, socket)
        const near = Node(t, 'server', 0, path, { put: BYTES, take: BYTES, seed: 1 })
        let far
        // It listens when it is ready, which it does not say.
        await eventually(async () => {
          const trial = connect(socket)
          const worked = await once(trial, 'connect').then(
            () => true,
            () => false,
          )
          if (worked) far = trial
          return worked
        }, 'the proxy listens')
        t.defer(() => far.destroy())
        const atFar = await traffic(far, { put: BYTES, take: BYTES, seed: 2 })
        sameBothWays(await near.done(), atFar)
      },
    },
  ]
}
