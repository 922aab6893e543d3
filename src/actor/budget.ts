import { GrantError } from '../errors.js'

/** Pages in use, and how many may be: over the whole server and per domain. */
export class Budget {
  readonly #perDomain = new Map<number, number>()
  #pages = 0

  constructor(
    readonly maxPages: number,
    readonly maxPagesPerDomain: number,
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

  /** Which of the two budgets has no room for `pages` more at the moment. */
  blockedBy(domid: number, pages: number): 'server' | 'domain' | undefined {
    if ((this.#perDomain.get(domid) ?? 0) + pages > this.maxPagesPerDomain) return 'domain'
    if (this.#pages + pages > this.maxPages) return 'server'
    return undefined
  }

  /** True when the request can never be granted, however long it waits. */
  impossible(pages: number): boolean {
    return pages > this.maxPages || pages > this.maxPagesPerDomain
  }

  error(by: 'server' | 'domain' | 'queue', domid: number, pages: number): GrantError {
    const what = `cannot grant ${pages} page${pages === 1 ? '' : 's'} to domain ${domid}`
    const why = {
      server: `the server's budget of ${this.maxPages} pages (maxPages) has ${this.maxPages - this.#pages} left`,
      domain:
        `the budget of ${this.maxPagesPerDomain} pages per domain (maxPagesPerDomain) has ` +
        `${this.maxPagesPerDomain - (this.#perDomain.get(domid) ?? 0)} left for it`,
      queue: 'other requests (wait: true) are already waiting for the pages that are left',
    }
    const advice = this.impossible(pages) ? 'Ask for less' : 'Unshare something, or share with { wait: true }'
    return new GrantError('ERR_GRANTS_QUOTA', `${what}: ${why[by]}. ${advice}`, { domid, pages })
  }
}
