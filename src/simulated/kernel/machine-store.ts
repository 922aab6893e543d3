import type { Domains } from './domains.js'
import type { Hypervisor } from './xenstore/store-domains.js'
import type { Flavour } from './xenstore/store-rules.js'
import type { Xenstored } from './xenstore/xenstored.js'

/** DOMID_FIRST_RESERVED: no domain has this number or a higher one. */
const DOMAINS = 0x7ff0

/**
 * The xenstored of the machine. It is there from its first use on: most programs have none. A domain is made in it, as the
 * toolstack does, and then introduced, when it is first used: one that had been used before, when the xenstored is.
 */
export class MachineStore {
  readonly #domains: Domains
  readonly #flavour: Flavour
  #daemon: Xenstored | undefined

  constructor(domains: Domains, flavour: Flavour) {
    this.#domains = domains
    this.#flavour = flavour
  }

  /** Undefined until it is started. */
  get daemon(): Xenstored | undefined {
    return this.#daemon
  }

  /** @param create makes the one there is, if there is none yet. Its modules are loaded by then, and not before */
  start(create: (hypervisor: Hypervisor, flavour: Flavour) => Xenstored): Xenstored {
    if (this.#daemon !== undefined) return this.#daemon
    const exists = (domid: number) => domid < DOMAINS && this.#domains.exists(domid)
    this.#daemon = create({ exists }, this.#flavour)
    this.#daemon.asToolstack((layout) => layout.makeDomain0())
    for (const domid of this.#domains.inUse) this.domainUsed(domid)
    return this.#daemon
  }

  /** A domain that a program has introduced is that program's to fill. */
  domainUsed(domid: number): void {
    if (this.#daemon === undefined || domid >= DOMAINS || this.#daemon.isIntroduced(domid)) return
    this.#daemon.asToolstack((layout) => layout.makeGuest(domid))
    this.#daemon.introduce(domid)
  }

  /** The toolstack is about to destroy a domain. */
  removeDomain(domid: number): void {
    if (this.#daemon?.isIntroduced(domid)) this.#daemon.asToolstack((layout) => layout.removeGuest(domid))
  }

  /** A domain has been destroyed. */
  domainDied(domid: number): void {
    this.#daemon?.domainDied(domid)
  }

  /** What is open, of all domains or of one. */
  count(domid?: number): { storeConnections: number; storeWatches: number; storeTransactions: number } {
    const { connections = 0, watches = 0, transactions = 0 } = this.#daemon?.count(domid) ?? {}
    return { storeConnections: connections, storeWatches: watches, storeTransactions: transactions }
  }
}
