// Two domains, each a process of its own. One grants pages to the other and publishes the offer in xenstore, which is where
// domains tell each other such things; the other finds it there, maps the pages and reads them.
//
//   node examples/offer.mjs
//
// Here they are domains of a simulated Xen. On a real one leave `on` out and run each part in its own domain.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Xen } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'

const [GRANTER, PEER] = [3, 7]
const [, , path] = process.argv

async function granter(simulated) {
  const xen = await Xen.open({ on: simulated.domain(GRANTER) })
  const [server, store] = [await xen.grants(), await xen.store()]
  const grant = await server.share({ domid: PEER, pages: 4 })
  await grant.fill(Buffer.from('for the eyes of domain 7'))
  // Both in one transaction, or others could see it before they may not.
  const offer = await grant.offer()
  await store.transaction(async (t) => {
    await t.write('data/offer', JSON.stringify(offer))
    await t.setPermissions('data/offer', [
      { domid: GRANTER, access: 'none' },
      { domid: PEER, access: 'read' },
    ])
  })
  await grant.released()
  await store.remove('data/offer')
  await grant.unshare()
  await xen.close()
}

async function peer(simulated) {
  const xen = await Xen.open({ on: simulated.domain(PEER) })
  const [mapper, store] = [await xen.mapper(), await xen.store()]
  const from = await store.domainPath(GRANTER)
  const text = await store.waitFor(`${from}/data/offer`, (value) => value !== undefined)
  const mapped = await mapper.map({ domid: GRANTER, offer: JSON.parse(text) })
  console.log(`domain ${PEER} reads: ${Buffer.from(mapped.bytes.subarray(0, 24))}`)
  await mapped.unmap()
  await xen.close()
}

if (path === undefined) {
  const simulated = await SimulatedXen.create()
  const ended = once(fork(import.meta.filename, [simulated.path]), 'exit')
  await granter(simulated)
  await ended
  await simulated.close()
} else {
  const simulated = await SimulatedXen.attach(path)
  await peer(simulated)
  await simulated.close()
}
