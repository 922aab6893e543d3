import { GrantError } from '../../errors.js'

type Blocker = 'server' | 'domain' | 'table'

/** Pages in use, and how many may be: over the whole server and per domain. */
export class Budget {
  readonly #perDomain = new Map<number, number>()
  #pages = 0

  /** @param tableRoom grant table entries this server may use, see {@link tableRoom} */
  constructor(
    readonly maxPages: number,
    readonly maxPagesPerDomain: number,
    readonly tableRoom: number,
  ) {}

  get pages(): number {
    return this.#pages
  }

  domains(): Record<number, number> {
    return Object.fromEntries(this.#perDomain)
  }

  take(domid: number, pages: number): void {
    this.#pages += pages
    this.#perDomain.set(domid, (this.#perDomain.get(domid) ?? 0) + pages)
  }

  give(domid: number, pages: number): void {
    this.#pages -= pages
    const left = (this.#perDomain.get(domid) ?? 0) - pages
    if (left > 0) this.#perDomain.set(domid, left)
    else this.#perDomain.delete(domid)
  }

  /** What has no room for `pages` more at the moment. */
  blockedBy(domid: number, pages: number): Blocker | undefined {
    if ((this.#perDomain.get(domid) ?? 0) + pages > this.maxPagesPerDomain) return 'domain'
    if (this.#pages + pages > this.maxPages) return 'server'
    if (this.#pages + pages > this.tableRoom) return 'table'
    return undefined
  }

  /** True when the request can never be granted, however long it waits. */
  impossible(pages: number): boolean {
    return pages > this.maxPages || pages > this.maxPagesPerDomain || pages > this.tableRoom
  }

  error(by: Blocker | 'queue', domid: number, pages: number): GrantError {
    const what = `cannot grant ${pages} page${pages === 1 ? '' : 's'} to domain ${domid}`
    const advice = this.impossible(pages) ? 'Ask for less' : 'Unshare something, or share with { wait: true }'
    if (by === 'table') {
      const text =
        `${what}: of this domain's grant table ${this.tableRoom - this.#pages} entries are left for this server; the rest ` +
        `is for disks and network (headroom). ${advice}`
      return new GrantError('ENOSPC', text, {
        errno: -28,
        syscall: 'ioctl',
        domid,
        pages,
        reason: 'grant-table',
      })
    }
    const why = {
      server: `the server's budget of ${this.maxPages} pages (maxPages) has ${this.maxPages - this.#pages} left`,
      domain:
        `the budget of ${this.maxPagesPerDomain} pages per domain (maxPagesPerDomain) has ` +
        `${this.maxPagesPerDomain - (this.#perDomain.get(domid) ?? 0)} left for it`,
      queue: 'other requests (wait: true) are already waiting for the pages that are left',
    }
    return new GrantError('ERR_GRANTS_QUOTA', `${what}: ${why[by]}. ${advice}`, { domid, pages })
  }
}

/** Xen's default: 64 frames of 512 entries. Linux does not tell how many there really are. */
const DEFAULT_TABLE = 32_768

/**
 * Entries of the grant table that one server may use.
 * @param headroom entries to leave to others
 */
export function tableRoom(capacity = DEFAULT_TABLE, headroom = Math.ceil(capacity / 16)): number {
  return Math.max(1, capacity - headroom)
}
