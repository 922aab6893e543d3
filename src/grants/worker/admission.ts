import { clearTimeout, setTimeout } from 'node:timers'
import { GrantError } from '../../errors.js'
import type { Budget } from './budget.js'
import type { ClientSession } from './client-session.js'
import type { ShareRequest } from './request.js'
import type { Sharing } from './sharing.js'

/** How often a request that waits for pages other processes hold asks the driver again, in milliseconds. */
const RETRY_INTERVAL = 250

/**
 * Decides which share requests go to the driver now. Requests that wait are served in the order they came; no
 * later request overtakes one on the pages it waits for, so a large one is not starved by small ones.
 */
export class Admission {
  readonly #budget: Budget
  readonly #sharing: Sharing
  readonly #comingBack: () => boolean
  readonly #retry: () => void
  #waiting: ShareRequest[] = []
  /** Those of them that the driver's limit, and not a budget, has kept waiting. */
  readonly #refused = new Set<ShareRequest>()
  #timer: NodeJS.Timeout | undefined

  /**
   * @param comingBack whether pages that have been given up are still being scrubbed: a request made after that is to find
   *   them free, and waits that long even without `wait`
   * @param retry is called when waiting requests should be considered again
   */
  constructor(budget: Budget, sharing: Sharing, comingBack: () => boolean, retry: () => void) {
    this.#budget = budget
    this.#sharing = sharing
    this.#comingBack = comingBack
    this.#retry = retry
  }

  /** Considers the requests that wait, then the new ones. */
  admit(fresh: ShareRequest[]): void {
    if (fresh.length === 0 && this.#waiting.length === 0) return
    const candidates = [...this.#waiting, ...fresh]
    const admitted: ShareRequest[] = []
    const waiting = new Set<ShareRequest>()
    const blockedDomains = new Set<number>()
    let serverBlocked = false
    for (const request of candidates) {
      const { domid, pages } = request
      // A status page is what a grant that was here before waits for.
      const ahead = !request.status && (serverBlocked || blockedDomains.has(domid))
      const by = ahead ? 'queue' : this.#budget.blockedBy(request)
      if (!by) {
        this.#budget.take(request)
        if (!this.#refused.has(request)) admitted.push(request)
        else {
          // Asked by itself, and before any request behind it: what has come free since belongs to it.
          this.#share([request], waiting)
          serverBlocked = waiting.has(request)
        }
      } else if (this.#mayWait(request) && !this.#budget.impossible(pages)) {
        if (by === 'server' || by === 'table') serverBlocked = true
        if (by === 'domain') blockedDomains.add(domid)
        request.defer()
        waiting.add(request)
      } else {
        request.fail(this.#budget.error(by, request))
      }
    }
    if (admitted.length > 0) this.#share(admitted, waiting)
    this.#waiting = candidates.filter((request) => waiting.has(request))
  }

  #share(admitted: ShareRequest[], waiting: Set<ShareRequest>): void {
    for (const request of admitted) this.#refused.delete(request)
    this.#sharing.share(admitted, (request, error) => {
      this.#budget.give(request)
      if (!(this.#mayWait(request) && this.#mayComeFree(error))) {
        request.fail(error)
        return
      }
      request.defer()
      waiting.add(request)
      this.#refused.add(request)
    })
    if (this.#refused.size === 0) return
    // Other processes give pages back without telling us. Asking again at the limit is harmless.
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#retry()
    }, RETRY_INTERVAL).unref()
  }

  #mayWait(request: ShareRequest): boolean {
    return request.wait || this.#comingBack()
  }

  /**
   * With a full grant table waiting makes sense only while something of our own can come back: every failed attempt
   * takes the driver's accounting a step nearer to its wedge, so it is not repeated on a timer.
   */
  #mayComeFree(error: unknown): boolean {
    return error instanceof GrantError && error.code === 'ENOSPC' && error.reason === 'limit'
  }

  /** @returns the request, which no longer waits; undefined when no such request waits here */
  withdraw(session: ClientSession, id: number): ShareRequest | undefined {
    const request = this.#waiting.find((waiting) => waiting.session === session && waiting.id === id)
    if (request) this.#drop(request)
    return request
  }

  /** A client is gone: no one is left to be answered. */
  withdrawAll(session: ClientSession): void {
    for (const request of this.#waiting.filter((waiting) => waiting.session === session)) this.#drop(request)
  }

  #drop(request: ShareRequest): void {
    this.#waiting.splice(this.#waiting.indexOf(request), 1)
    this.#refused.delete(request)
  }

  failAll(error: GrantError): void {
    const waiting = this.#waiting
    this.#waiting = []
    this.#refused.clear()
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const request of waiting) request.fail(error)
  }
}
