import assert from 'node:assert/strict'
import { EventChannels, GrantServer } from '../../../dist/src/index.js'
import { canMap, mapDevice, mapped } from '../guest/ends.mjs'
import { poke } from '../guest/raw.mjs'

async function offered(t, { pages = 3, withEvents = false } = {}) {
  const server = await GrantServer.open()
  t.defer(() => server.close({ force: true }))
  const events = withEvents ? await EventChannels.open() : undefined
  t.defer(() => events?.close())
  const grant = await server.share({ domid: 0, pages })
  for (let page = 0; page < pages; page++) grant.bytes[page * 4096] = page + 1
  const channel = await events?.bindUnbound(0)
  const offer = await grant.offer(channel && { channel })
  return { server, grant, offer, channel, refs: [...grant.refs] }
}

/** The peer, in a process of its own, once it has mapped and read. */
async function peerOf(t, offer) {
  const peer = t.node('api-mapper.mjs', JSON.stringify(offer))
  assert.equal(await peer.line(), 'mapped [1,2,3]')
  return peer
}

/** A peer in C, which starts faster than Node under emulation. */
async function cPeerOf(t, { refs, status }) {
  const peer = t.peer('map_notify', 0, status.ref, status.offset, status.port ?? 0, ...refs)
  while ((await peer.line()) !== 'mapped');
  return peer
}

/** Pages that are free cannot be mapped; deferred ones can until the kernel's timer comes by. */
function assertFree(t, refs) {
  const device = mapDevice(t)
  assert.deepEqual(
    refs.filter((ref) => canMap(device, ref)),
    [],
    'pages that are not free',
  )
}

export default {
  name: 'teardown',
  tests: [
    {
      name: 'mapped, unmapped, released: the pages are free at once',
      async run(t) {
        const { server, grant, offer, refs } = await offered(t)
        assert.equal(grant.peer, 'never mapped')
        const peer = await peerOf(t, offer)
        assert.equal(grant.peer, 'mapped')
        const released = grant.released()
        assert.equal((await peer.end()).code, 0)
        assert.equal(await released, 'released')
        await grant.unshare()
        assertFree(t, [...refs, offer.status.ref])
        assert.equal((await server.stats()).deferred.pages, 0)
      },
    },
    {
      name: 'without the handshake the same pages are deferred',
      async run(t) {
        const { grant, refs } = await offered(t)
        const device = mapDevice(t)
        const { munmap, forget } = mapped(
          device,
          refs.map((ref) => ({ domid: 0, ref })),
          false,
        )
        assert.equal(grant.peer, 'never mapped')
        await grant.unshare()
        munmap()
        forget()
        assert.ok(canMap(device, refs[0]), 'the kernel has not come by yet')
      },
    },
    {
      name: 'a peer that is killed has let go; an event says so at once',
      async run(t) {
        const { grant, offer, refs, channel } = await offered(t, { withEvents: true })
        assert.equal(offer.status.port, channel.port)
        const peer = await peerOf(t, offer)
        const event = channel.wait()
        await peer.kill('SIGKILL')
        await event
        // Looked at once: nothing has to be waited for any more.
        assert.equal(grant.peer, 'released')
        await grant.unshare()
        assertFree(t, [...refs, offer.status.ref])
      },
    },
    {
      name: 'a peer that is killed is noticed without events too',
      async run(t) {
        const { grant, offer, refs } = await offered(t)
        const peer = await cPeerOf(t, offer)
        const unsharing = grant.unshare({ whenReleased: true, timeout: 30_000 })
        await peer.kill('SIGKILL')
        await unsharing
        assertFree(t, refs)
      },
    },
    {
      name: 'an event wakes whoever waits for the release',
      async run(t) {
        const { grant, offer, refs } = await offered(t, { withEvents: true })
        const peer = await cPeerOf(t, offer)
        const unsharing = grant.unshare({ whenReleased: true, timeout: 30_000 })
        await peer.end()
        await unsharing
        assertFree(t, refs)
      },
    },
    {
      name: 'a peer that never lets go: taken back after the timeout, counted as deferred until it does',
      async run(t) {
        const { server, grant, offer, refs } = await offered(t)
        const peer = await cPeerOf(t, offer)
        await grant.unshare({ whenReleased: true, timeout: 50 })
        const { deferred } = await server.stats()
        assert.deepEqual([deferred.pages, deferred.draining, deferred.perSecond], [3, 0, 10])
        assert.ok(canMap(mapDevice(t), refs[0]), 'deferred')
        await peer.end()
        assert.equal((await server.stats()).deferred.draining, 3)
      },
    },
    {
      name: 'nonsense where the peer should tell: unknown, and nobody waits for it',
      async run(t) {
        const { grant, offer } = await offered(t)
        const { status } = offer
        const { address, munmap, forget } = mapped(mapDevice(t), [{ domid: 0, ref: status.ref }])
        poke(address + status.offset, [200])
        assert.equal(grant.peer, 'unknown')
        assert.equal(await grant.released(), 'unknown')
        munmap()
        forget()
        await grant.unshare({ whenReleased: true })
      },
    },
  ],
}
