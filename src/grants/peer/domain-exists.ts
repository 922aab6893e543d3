import type { Connection } from '../device-connection.js'
import { Op } from '../grant-messages.js'

/** Whether there is such a domain; undefined when that cannot be told. Never rejects. */
export type DomainExists = (domid: number) => Promise<boolean | undefined>

export function domainExistsOver(connection: Connection): DomainExists {
  return async (domid) => {
    try {
      const [exists] = await connection.request(Op.domainExists, domid)
      return exists === undefined ? undefined : exists === 1
    } catch {
      // Only a hint: who waits for the server learns from its own call that it has gone.
      return undefined
    }
  }
}
