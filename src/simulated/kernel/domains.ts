import { constants } from 'node:os'
import { systemCallError } from '../../errors.js'

/** Which domains there are: all, until they are destroyed. A number is not used again. */
export class Domains {
  readonly #destroyed = new Set<number>()

  destroy(domid: number): void {
    this.#destroyed.add(domid)
  }

  exists(domid: number): boolean {
    return !this.#destroyed.has(domid)
  }

  /** @throws GrantError ESRCH */
  mustExist(domid: number, what: string): void {
    if (!this.exists(domid)) throw systemCallError(constants.errno.ESRCH, 'ioctl', what, { domid })
  }
}
