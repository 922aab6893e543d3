import type { XenStore } from '../xenstore/xen-store.js'
import { type Link, undo } from './link.js'
import { Offer } from './offer.js'
import { absolute, type CheckedServe } from './options.js'
import { Rendezvous } from './rendezvous.js'
import { ServerLink } from './server-link.js'
import type { DomainParts } from './vigil.js'

/** Offers a vchan and waits for its client. */
export async function serveLink(parts: DomainParts, options: CheckedServe): Promise<Link> {
  const { self, meeting } = await cleared(await parts.store(), options)
  const offer = await Offer.make(parts, meeting, options)
  try {
    await offer.publish(self)
    await offer.untilTaken()
    return new ServerLink(offer, meeting.withdraw(offer.keys))
  } catch (error) {
    return undo(error, offer.end())
  }
}

/** Which domain this was, the last time. */
const selves = new WeakMap<XenStore, number>()

/** Before a port is bound: it could be the one that stale keys name. */
async function cleared(
  store: XenStore,
  { path, signal }: CheckedServe,
): Promise<{ self: number; meeting: Rendezvous }> {
  const known = selves.get(store)
  const asked = store.domid(signal && { signal })
  // Both are asked at once: a domain that has been restored is hardly ever another one.
  const expected = known === undefined ? undefined : new Rendezvous(store, absolute(path, known))
  const [self] = await Promise.all([asked, expected?.clear(known!, signal)])
  selves.set(store, self)
  if (expected && self === known) return { self, meeting: expected }
  const meeting = new Rendezvous(store, absolute(path, self))
  await meeting.clear(self, signal)
  return { self, meeting }
}
