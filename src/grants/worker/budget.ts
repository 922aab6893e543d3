import { GrantError } from '../../errors.js'

type Blocker = 'server' | 'domain' | 'table'

/** What is taken from a budget, or wanted. */
export interface Share {
  readonly domid: number
  readonly pages: number
  /** A status page: what has been offered must not wait for a page that only it could set free, so none is counted. */
  readonly status: boolean
}

/** Pages in use, and how many may be: over the whole server and per domain. */
export class Budget {
  /** Status pages included. */
  readonly #perDomain = new Map<number, number>()
  readonly #statusPerDomain = new Map<number, number>()
  #pages = 0
  #statusPages = 0

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

  take({ domid, pages, status }: Share): void {
    this.#pages += pages
    add(this.#perDomain, domid, pages)
    if (!status) return
    this.#statusPages += pages
    add(this.#statusPerDomain, domid, pages)
  }

  give({ domid, pages, status }: Share): void {
    this.#pages -= pages
    add(this.#perDomain, domid, -pages)
    if (!status) return
    this.#statusPages -= pages
    add(this.#statusPerDomain, domid, -pages)
  }

  /** What has no room for the share at the moment. */
  blockedBy({ domid, pages, status }: Share): Blocker | undefined {
    if (!status && this.#leftFor(domid) < pages) return 'domain'
    if (!status && this.#left < pages) return 'server'
    if (this.#pages + pages > this.tableRoom) return 'table'
    return undefined
  }

  get #left(): number {
    return this.maxPages - (this.#pages - this.#statusPages)
  }

  #leftFor(domid: number): number {
    const counted = (this.#perDomain.get(domid) ?? 0) - (this.#statusPerDomain.get(domid) ?? 0)
    return this.maxPagesPerDomain - counted
  }

  /** True when the request can never be granted, however long it waits. */
  impossible(pages: number): boolean {
    return pages > this.maxPages || pages > this.maxPagesPerDomain || pages > this.tableRoom
  }

  error(by: Blocker | 'queue', { domid, pages }: Share): GrantError {
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
      server: `the server's budget of ${this.maxPages} pages (maxPages) has ${this.#left} left`,
      domain:
        `the budget of ${this.maxPagesPerDomain} pages per domain (maxPagesPerDomain) has ` +
        `${this.#leftFor(domid)} left for it`,
      queue: 'other requests (wait: true) are already waiting for the pages that are left',
    }
    return new GrantError('ERR_GRANTS_QUOTA', `${what}: ${why[by]}. ${advice}`, { domid, pages })
  }
}

function add(pages: Map<number, number>, domid: number, more: number): void {
  const now = (pages.get(domid) ?? 0) + more
  if (now > 0) pages.set(domid, now)
  else pages.delete(domid)
}

/**
 * Pages of the driver's limit that are left for status pages when no budget has been set: one per domain and 2048 grants
 * offered at a time.
 */
export function statusRoom(limit: number): number {
  return Math.min(16, Math.floor(limit / 64))
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
