import { GrantError } from '../errors.js'
import { ShareFlag } from '../protocol/messages.js'
import type { Budget } from './budget.js'
import type { ShareRequest, Sharing } from './sharing.js'

/** How often a request that waits for pages other processes hold asks the driver again, in milliseconds. */
const RETRY_INTERVAL = 250

/**
 * Decides which share requests go to the driver now. Requests that wait are served in the order they came; nobody
 * passes a waiting one on the pages it waits for, so a large one is not starved by small ones.
 */
export class Admission {
  readonly #budget: Budget
  readonly #sharing: Sharing
  readonly #retry: () => void
  #waiting: ShareRequest[] = []
  #timer: NodeJS.Timeout | undefined

  /** @param retry is called when waiting requests should be considered again */
  constructor(budget: Budget, sharing: Sharing, retry: () => void) {
    this.#budget = budget
    this.#sharing = sharing
    this.#retry = retry
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Considers everybody who waits, then the new ones. */
  admit(fresh: ShareRequest[]): void {
    const candidates = [...this.#waiting, ...fresh]
    this.#waiting = []
    const admitted: ShareRequest[] = []
    const blockedDomains = new Set<number>()
    let serverBlocked = false
    for (const request of candidates) {
      const { a: domid, b: pages } = request
      const ahead = serverBlocked || blockedDomains.has(domid)
      const by = ahead ? 'queue' : this.#budget.blockedBy(domid, pages)
      if (!by) {
        this.#budget.take(domid, pages)
        admitted.push(request)
      } else if (request.c & ShareFlag.wait && !this.#budget.impossible(pages)) {
        if (by === 'server' || by === 'table') serverBlocked = true
        if (by === 'domain') blockedDomains.add(domid)
        this.#wait(request)
      } else {
        request.fail(this.#budget.error(by, domid, pages))
      }
    }
    if (admitted.length > 0) this.#share(admitted)
  }

  #share(admitted: ShareRequest[]): void {
    const again: ShareRequest[] = []
    this.#sharing.share(admitted, this.#budget.pages, (request, error) => {
      this.#budget.give(request.a, request.b)
      if (request.c & ShareFlag.wait && this.#mayComeFree(error)) again.push(request)
      else request.fail(error)
    })
    if (again.length === 0) return
    for (const request of again) request.defer()
    this.#waiting = [...again, ...this.#waiting]
    // Other processes give pages back without telling us. Asking again at the limit is harmless.
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#retry()
    }, RETRY_INTERVAL).unref()
  }

  /**
   * With a full grant table waiting makes sense only while something of our own can come back: every failed attempt
   * takes the driver's accounting a step nearer to its wedge, so it is not repeated on a timer.
   */
  #mayComeFree(error: unknown): boolean {
    return error instanceof GrantError && error.code === 'ENOSPC' && error.reason === 'limit'
  }

  #wait(request: ShareRequest): void {
    request.defer()
    this.#waiting.push(request)
  }

  /** @returns false when the request does not wait here */
  withdraw(request: ShareRequest): boolean {
    const at = this.#waiting.indexOf(request)
    if (at < 0) return false
    this.#waiting.splice(at, 1)
    return true
  }

  failAll(error: GrantError): void {
    const waiting = this.#waiting
    this.#waiting = []
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const request of waiting) request.fail(error)
  }
}
