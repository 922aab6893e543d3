import type { DomainParts } from '../vchan/vigil.js'
import { openSocket } from './open-socket.js'
import { checkSocketConnect, type SocketConnectOptions } from './options.js'
import type { ServiceSocket } from './service-socket.js'

/** As undici's `connect` option wants it. */
export type Connector = (
  options: unknown,
  callback: (...result: [error: Error, socket: null] | [error: null, socket: ServiceSocket]) => void,
) => void

/**
 * For `fetch` over a service, with undici (which is not a dependency of this package): `new Agent({ connect: connector(xen,
 * { domid, name }) })` is the dispatcher. Requests go to that service, whatever host they name.
 *
 * @param options as of {@link connect}
 * @throws TypeError, RangeError
 */
export function connector(xen: DomainParts, options: SocketConnectOptions): Connector {
  const checked = checkSocketConnect(xen, options)
  return (_options, callback) => {
    openSocket(xen, checked).then(
      (socket) => callback(null, socket),
      (error: Error) => callback(error, null),
    )
  }
}
