import type { Request } from './request.js'

/** What one client has asked for and has not been carried out. Taking one is cheap however long the queue. */
export class RequestQueue {
  #queue: Request[] = []
  #head = 0

  get length(): number {
    return this.#queue.length - this.#head
  }

  add(request: Request): void {
    this.#queue.push(request)
  }

  take(): Request | undefined {
    const request = this.#queue[this.#head]
    if (!request) return undefined
    this.#head++
    if (this.#head === this.#queue.length) {
      this.#queue = []
      this.#head = 0
    }
    return request
  }
}
