import { published } from '../diagnostics.js'
import type { Link } from '../vchan/link.js'
import { checkConnect } from '../vchan/options.js'
import { type DomainParts, Vigil } from '../vchan/vigil.js'
import { type CheckedSocketConnect, pathOf } from './options.js'
import { ServiceSocket } from './service-socket.js'
import { connectInTurn } from './turns.js'

/** Connects to a service of another domain. @throws as `connect()` */
export function openSocket(xen: DomainParts, options: CheckedSocketConnect): Promise<ServiceSocket> {
  return published('connect', () => open(xen, options))
}

async function open(xen: DomainParts, options: CheckedSocketConnect): Promise<ServiceSocket> {
  const { domid, name, timeout, maxWindow, signal } = options
  const vigil = Vigil.of(xen)
  const link = await vigil.open(signal, async (stop): Promise<Link> => {
    const store = await xen.store()
    const path = pathOf(name, await store.domid({ signal: stop.signal }))
    const checked = checkConnect(xen, { domid, path, timeout, maxRingBytes: maxWindow, signal: stop.signal })
    return connectInTurn(xen, checked, stop)
  })
  return new ServiceSocket(link, vigil, name)
}
