import type { DomainParts } from '../vchan/vigil.js'
import { openSocket } from './open-socket.js'
import { checkSocketConnect, type ReconnectOptions, type SocketConnectOptions } from './options.js'
import { Reconnection } from './reconnection.js'
import type { ServiceSocket } from './service-socket.js'

/**
 * Connects to a service of another domain, and waits for it as long as `timeout` says.
 *
 * @throws GrantError ETIMEDOUT, which says what was missing last; ERR_GRANTS_PROTOCOL: what is offered is no vchan;
 *   what mapping grants, binding ports and xenstore throw; TypeError, RangeError; the signal's reason
 */
export function connect(xen: DomainParts, options: SocketConnectOptions): Promise<ServiceSocket>
/** @returns at once: the streams come by iteration, see {@link Reconnection} */
export function connect(xen: DomainParts, options: ReconnectOptions): Promise<Reconnection>
export async function connect(
  xen: DomainParts,
  options: SocketConnectOptions | ReconnectOptions,
): Promise<ServiceSocket | Reconnection> {
  const checked = checkSocketConnect(xen, options)
  return checked.reconnect ? new Reconnection(xen, checked) : openSocket(xen, checked)
}
