import { constants } from 'node:os'
import { systemCallError } from '../../errors.js'
import { Domain, type DomainOptions, type Hardware } from './domain.js'
import type { ChannelDirectory, EventChannels } from './event-channels.js'
import type { GrantTable, TableDirectory } from './grant-table.js'

/** Domids are 16 bits wide in every interface of Xen. */
const MAX_DOMID = 0xffff

/** All domains of the machine. Every one exists until it is destroyed; a number is not used again. */
export class Domains implements TableDirectory, ChannelDirectory {
  readonly #hardware: Hardware
  readonly #options: DomainOptions
  /** Those that anything has been asked of. */
  readonly #known = new Map<number, Domain>()
  readonly #used = new Set<number>()
  readonly #firstUse: (domid: number) => void

  /** @param firstUse is told when a domain is first used: a device of it is opened, or something done in its name */
  constructor(hardware: Hardware, options: DomainOptions, firstUse: (domid: number) => void = () => {}) {
    this.#hardware = hardware
    this.#options = options
    this.#firstUse = firstUse
  }

  /** Those that have been used and not destroyed, in the order in which they first were. */
  get inUse(): number[] {
    return [...this.#used].filter((domid) => this.exists(domid))
  }

  [Symbol.iterator](): Iterator<Domain> {
    return this.#known.values()
  }

  /** A domain that may have been destroyed. @throws GrantError ESRCH for what is no domid */
  get(domid: number, what = `looking for domain ${domid}`): Domain {
    const known = this.#known.get(domid)
    if (known !== undefined) return known
    if (domid > MAX_DOMID) throw systemCallError(constants.errno.ESRCH, 'ioctl', what, { domid })
    const domain = new Domain(domid, this.#hardware, this, this.#options)
    this.#known.set(domid, domain)
    return domain
  }

  /** A domain that is about to be used. @throws GrantError ESRCH */
  running(domid: number, what: string): Domain {
    const domain = this.get(domid, what)
    if (!domain.running) throw systemCallError(constants.errno.ESRCH, 'ioctl', what, { domid })
    if (this.#used.has(domid)) return domain
    this.#used.add(domid)
    this.#firstUse(domid)
    return domain
  }

  exists(domid: number): boolean {
    return domid <= MAX_DOMID && (this.#known.get(domid)?.running ?? true)
  }

  tableOf(domid: number): GrantTable | undefined {
    return this.exists(domid) ? this.get(domid).table : undefined
  }

  channelsOf(domid: number): EventChannels | undefined {
    return this.exists(domid) || this.#known.get(domid)?.lingers ? this.get(domid).channels : undefined
  }
}
