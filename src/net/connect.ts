import type { Link } from '../vchan/link.js'
import { checkConnect } from '../vchan/options.js'
import { type DomainParts, Vigil } from '../vchan/vigil.js'
import { checkSocketConnect, pathOf, type SocketConnectOptions } from './options.js'
import { ServiceSocket } from './service-socket.js'
import { connectInTurn } from './turns.js'

/**
 * Connects to a service of another domain, and waits for it as long as `timeout` says.
 *
 * @throws GrantError ETIMEDOUT, which says what was missing last; ERR_GRANTS_PROTOCOL: what is offered is no vchan;
 *   what mapping grants, binding ports and xenstore throw; TypeError, RangeError; the signal's reason
 */
export async function connect(xen: DomainParts, options: SocketConnectOptions): Promise<ServiceSocket> {
  const { domid, name, timeout, maxWindow, signal } = checkSocketConnect(xen, options)
  const vigil = Vigil.of(xen)
  const link = await vigil.open(signal, async (stop): Promise<Link> => {
    const store = await xen.store()
    const path = pathOf(name, await store.domid({ signal: stop.signal }))
    const checked = checkConnect(xen, { domid, path, timeout, maxRingBytes: maxWindow, signal: stop.signal })
    return connectInTurn(xen, checked, stop)
  })
  return new ServiceSocket(link, vigil, name)
}
