import assert from 'node:assert/strict'
import { EventChannels, GrantMapper, GrantServer } from '../../../dist/src/index.js'
import { Guest } from '../guest/domains.mjs'
import { canMap, mapDevice } from '../guest/ends.mjs'
import { startInGuest } from '../guest/guest-program.mjs'

const FIVE_MINUTES = 300_000
const PAGES = 3

// Booted by the first test that needs it: --only may choose any.
let booted
const guest = () => (booted ??= Guest.boot('ends', 'node'))

/** A grant server in the guest that has offered pages to dom0. */
async function granter(t) {
  const domain = await guest()
  const program = await startInGuest(domain, 'api-granter.mjs', 0, PAGES)
  const offer = await program.line('offer')
  return { ...program, domain, offer, free: () => refused(t, domain.domid, offer.refs) }
}

function refused(t, domid, refs) {
  const device = mapDevice(t)
  assert.deepEqual(
    refs.filter((ref) => canMap(device, ref, domid)),
    [],
    'pages that are not free',
  )
}

export default {
  name: 'both ends, two domains',
  tests: [
    {
      name: 'a guest grants, dom0 maps and lets go, the guest is told and its pages are free at once',
      timeoutMs: FIVE_MINUTES,
      async run(t) {
        const { domain, offer, ask, free } = await granter(t)
        const [mapper, events] = [await GrantMapper.open(), await EventChannels.open()]
        t.defer(() => mapper.close())
        t.defer(() => events.close())
        assert.equal(await ask('peer'), 'never mapped')
        const mapped = await mapper.map({ domid: domain.domid, offer, events })
        assert.deepEqual(
          [0, 1, 2].map((page) => mapped.bytes[page * 4096 + 99]),
          [1, 2, 3],
        )
        assert.equal(await ask('peer'), 'mapped')
        assert.equal(await ask('released 50'), 'timeout')
        await mapped.unmap()
        assert.equal(await ask('released 20000'), 'released')
        assert.equal(await ask('unshare 20000'), 0)
        free()
      },
    },
    {
      name: "dom0's mapper is killed: the guest is told all the same",
      timeoutMs: FIVE_MINUTES,
      async run(t) {
        const { domain, offer, ask, free } = await granter(t)
        const peer = t.node('api-mapper.mjs', JSON.stringify(offer), domain.domid)
        assert.equal(await peer.line(), 'mapped [1,2,3]')
        assert.equal(await ask('peer'), 'mapped')
        await peer.kill('SIGKILL')
        assert.equal(await ask('released 20000'), 'released')
        assert.equal(await ask('unshare 20000'), 0)
        free()
      },
    },
    {
      name: 'a domain that is destroyed while it maps says nothing: Xen does, and the pages are free at once',
      timeoutMs: FIVE_MINUTES,
      async run(t) {
        const domain = await guest()
        const server = await GrantServer.open()
        t.defer(() => server.close({ force: true }))
        const grant = await server.share({ domid: domain.domid, pages: PAGES })
        const offer = await grant.offer()
        await startInGuest(domain, 'api-mapper.mjs', `'${JSON.stringify(offer)}'`, 0).then((peer) =>
          peer.line('mapped'),
        )
        assert.equal(grant.peer, 'mapped')
        booted = undefined
        domain.destroy()
        assert.equal(await grant.released(), 'released')
        await grant.unshare({ whenReleased: true })
        assert.equal((await server.stats()).deferred.pages, 0)
        refused(t, 0, offer.refs)
      },
    },
  ],
}
