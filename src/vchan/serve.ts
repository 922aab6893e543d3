import { type Link, undo } from './link.js'
import { Offer } from './offer.js'
import { absolute, type CheckedServe } from './options.js'
import { Rendezvous } from './rendezvous.js'
import { ServerLink } from './server-link.js'
import type { DomainParts } from './vigil.js'

/** Offers a vchan and waits for its client. */
export async function serveLink(parts: DomainParts, options: CheckedServe): Promise<Link> {
  const store = await parts.store()
  const self = await store.domid({ signal: options.signal })
  const meeting = new Rendezvous(store, absolute(options.path, self))
  // Before a port is bound: it could be the one that stale keys name.
  await meeting.clear(options.signal)
  const offer = await Offer.make(parts, meeting, options)
  try {
    await offer.publish(self)
    await offer.untilTaken()
    return new ServerLink(offer, meeting.withdraw(offer.keys))
  } catch (error) {
    return undo(error, offer.end())
  }
}
