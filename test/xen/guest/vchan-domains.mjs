import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { guest } from './domains.mjs'
import { startInGuest, startPeerInGuest } from './guest-program.mjs'
import { equal, leavingNothing, prepare } from './vchan-checks.mjs'
import { C, Node, NodeProcess, waiting } from './vchan-ends.mjs'
import { wordsOf } from './vchan-options.mjs'

const FIVE_MINUTES = 300_000
const BYTES = 300_000
/** Of a guest's time: what Xen tells dom0 at once, a guest has to ask for now and then. */
const SOON_MS = 5_000

/** Ends in a guest, as those of vchan-ends.mjs. */
function guestEnd(domain, Kind) {
  return (_t, role, domid, path, options = {}) => {
    const started =
      Kind === C
        ? startPeerInGuest(domain, 'vchan', role, domid, path, ...wordsOf({ ...waiting(role), ...options }))
        : startInGuest(domain, 'vchan-end.mjs', role, domid, path, ...wordsOf(options))
    return {
      started,
      connected: async () => (await started).line('connected'),
      done: async () => (await started).line('done'),
    }
  }
}

let paths = 0
const pathOf = (server, client) => `/local/domain/${server}/data/vchan/${client}/${++paths}`

/** Dom0 and a guest exchange bytes, both ways at once. */
async function exchange(t, Near, Kind, { serverIsNear, rings }) {
  await prepare(t)
  const domain = await guest('vchan', 'node')
  const Far = guestEnd(domain, Kind)
  const path = serverIsNear ? pathOf(0, domain.domid) : pathOf(domain.domid, 0)
  const [nearRole, farRole] = serverIsNear ? ['server', 'client'] : ['client', 'server']
  const near = Near(t, nearRole, domain.domid, path, { ...rings, put: BYTES, take: BYTES + 1, seed: 1 })
  const far = Far(t, farRole, 0, path, { ...rings, put: BYTES + 1, take: BYTES, seed: 2 })
  const [atNear, atFar] = await Promise.all([near.done(), far.done()])
  equal(atNear, { sent: BYTES, received: BYTES + 1, seed: 2 })
  equal(atFar, { sent: BYTES + 1, received: BYTES, seed: 1 })
}

const KINDS = new Map([
  [C, 'libxenvchan'],
  [Node, 'Node'],
  [NodeProcess, 'Node'],
])

function exchanges() {
  const pairs = [
    [Node, C],
    [C, NodeProcess],
    [Node, NodeProcess],
  ]
  const rings = [
    { receive: 65536, send: 65536 },
    { receive: 1024, send: 4096 },
  ]
  return pairs.flatMap(([Near, Far]) =>
    [true, false].flatMap((serverIsNear) =>
      rings.map((sizes) => ({
        name: `dom0 ${serverIsNear ? 'serves' : 'connects'} (${KINDS.get(Near)}), a guest ${serverIsNear ? 'connects' : 'serves'} (${KINDS.get(Far)}), rings of ${sizes.receive} and ${sizes.send}`,
        timeoutMs: FIVE_MINUTES,
        run: (t) => exchange(t, Near, Far, { serverIsNear, rings: sizes }),
      })),
    ),
  )
}

/** A guest in which libxenvchan is at the other end is destroyed: nothing is written, no event comes. */
function destroyed(role) {
  const far = role === 'server' ? 'client' : 'server'
  return {
    name: `the guest at the other end of dom0's ${role} is destroyed: its stream ends with an error, and its pages come free`,
    timeoutMs: FIVE_MINUTES,
    async run(t) {
      await prepare(t)
      const domain = await guest('mortal', 'small')
      const path = role === 'server' ? pathOf(0, domain.domid) : pathOf(domain.domid, 0)
      await leavingNothing(t, path, async () => {
        const here = Node(t, role, domain.domid, path, { put: Infinity, seed: 4 })
        // The guest has to have answered that it has started it, before it is destroyed.
        await guestEnd(domain, C)(t, far, 0, path, { echo: true }).started
        await once(await here.connected(), 'data')
        const over = here.done()
        domain.destroy()
        const dead = performance.now()
        const { error } = await over
        const ms = performance.now() - dead
        t.note(`${error} ${ms.toFixed(0)} ms after xl destroy`)
        assert.ok(error, 'an error says so')
        assert.ok(ms < SOON_MS, `${ms} ms`)
      })
    },
  }
}

/** How long the keys of libxenvchan have to stand before their end means anything, and more, of a guest's time. */
const KEYS_COUNT_MS = 4_000

/** Likewise between two guests: nobody tells a guest that another one has gone. */
function destroyedFarAway(role, Far) {
  const far = role === 'server' ? 'client' : 'server'
  return {
    name: `a guest at the other end (${KINDS.get(Far)}) of another guest's ${role} is destroyed: that stream ends with an error`,
    timeoutMs: FIVE_MINUTES,
    async run(t) {
      await prepare(t)
      const kind = Far === C ? 'small' : 'node'
      const [one, other] = [await guest('vchan', 'node'), await guest(`mortal-${kind}`, kind)]
      const [from, to] = role === 'server' ? [one, other] : [other, one]
      const path = pathOf(from.domid, to.domid)
      const here = guestEnd(one, NodeProcess)(t, role, other.domid, path, { put: 1, seed: 4 })
      await guestEnd(other, Far)(t, far, one.domid, path, {}).started
      await here.connected()
      if (Far === C) await pause(KEYS_COUNT_MS)
      other.destroy()
      const { error } = await here.done()
      assert.equal(error, 'ECONNRESET')
    },
  }
}

export function acrossDomains() {
  return [
    ...exchanges(),
    ...['server', 'client'].map(destroyed),
    ...[C, NodeProcess].flatMap((Far) => ['server', 'client'].map((role) => destroyedFarAway(role, Far))),
  ]
}
