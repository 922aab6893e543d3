import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { systemCallError } from '../../errors.js'
import type { Connection } from '../wire/connection.js'
import { storeSocket } from '../wire/protocol.js'

/** How often it is looked whether it is there, and how often at most. Mostly it is there at the second look. */
const LOOK_EVERY_MS = 1
const LOOKS = 10_000

/**
 * Has the host make the socket of its xenstored for a domain, and blocks until it has. It does not depend on the event
 * loop of this thread: the request leaves at once.
 *
 * @param path the directory of the simulated Xen
 * @returns its path. When the domain or the simulated Xen has gone, connecting to it fails
 * @throws GrantError ETIMEDOUT
 */
export function openStoreSocket(path: string, connection: Connection, domid: number): string {
  const socket = join(path, storeSocket(domid))
  if (connection.ended || existsSync(socket)) return socket
  // Why it fails shows when a program connects.
  connection.request('domain.openStore', [domid]).catch(() => {})
  const clock = new Int32Array(new SharedArrayBuffer(4))
  for (let looks = 0; !existsSync(socket) && existsSync(path); looks++) {
    if (looks >= LOOKS) {
      const what = `waiting for the xenstore of domain ${domid}: the thread of the simulated Xen does not answer`
      throw systemCallError(constants.errno.ETIMEDOUT, 'connect', what, { path: socket })
    }
    Atomics.wait(clock, 0, 0, LOOK_EVERY_MS)
  }
  return socket
}
