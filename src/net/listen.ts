import { setImmediate } from 'node:timers'
import { onAbort } from '../abort.js'
import { checkFunction } from '../arguments.js'
import { published } from '../diagnostics.js'
import type { DomainParts } from '../vchan/vigil.js'
import { checkListen, type ListenOptions } from './options.js'
import { Service } from './service.js'
import type { ServiceSocket } from './service-socket.js'

/**
 * Offers a service to clients in other domains: each domain finds a free offer in xenstore, and each connection has pages, a
 * port and keys of its own. Clients are `connect()` of this library, or programs on libxenvchan.
 *
 * @param handler a listener for 'connection'
 * @returns when clients can connect
 * @throws what sharing pages, binding ports and writing to xenstore throws, and then nothing is left of it; GrantError EADDRINUSE:
 *   another service of this domain, in whatever process, has that name for one of the domains; the signal's reason; TypeError, RangeError
 */
export function listen(
  xen: DomainParts,
  options: ListenOptions,
  handler?: (socket: ServiceSocket) => void,
): Promise<Service> {
  return published('listen', () => open(xen, options, handler))
}

async function open(
  xen: DomainParts,
  options: ListenOptions,
  handler: ((socket: ServiceSocket) => void) | undefined,
): Promise<Service> {
  const { domids, signal, ...rest } = checkListen(xen, options)
  if (handler !== undefined) checkFunction('handler', handler)
  const store = await xen.store()
  const self = await store.domid({ signal })
  signal?.throwIfAborted()
  const service = new Service(xen, self, rest)
  if (handler) service.on('connection', handler)
  if (signal) {
    const takeBack = onAbort(signal, () => void service.close())
    service.once('close', takeBack)
  }
  const all = await Promise.allSettled(domids.map((domid) => service.allow(domid)))
  const failure = all.find((one) => one.status === 'rejected')
  // The signal may have come too late for any of them to fail.
  if (failure || signal?.aborted) {
    await service.close({ force: true })
    signal?.throwIfAborted()
    throw failure!.reason
  }
  // Nobody has it yet to listen to.
  setImmediate(() => service.emit('listening'))
  return service
}
