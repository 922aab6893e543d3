import type { ServiceSocket } from './service-socket.js'

/** Of streams, as each counts them. */
export interface StreamTotals {
  bytesRead: number
  bytesWritten: number
  eventsSent: number
  eventsReceived: number
  stalls: number
}

/** The connections of a service: those that are open, and of them those that nobody has taken yet. */
export class Connections {
  readonly #open = new Set<ServiceSocket>()
  #backlog: ServiceSocket[] = []
  readonly #ended: StreamTotals = {
    bytesRead: 0,
    bytesWritten: 0,
    eventsSent: 0,
    eventsReceived: 0,
    stalls: 0,
  }
  /** Who waits for a connection to come or to end, or for a limit to change. */
  readonly #waiting = new Set<() => void>()
  /** Since the beginning. */
  accepted = 0

  get size(): number {
    return this.#open.size
  }

  of(domid: number): number {
    let count = 0
    for (const socket of this.#open) if (socket.domid === domid) count++
    return count
  }

  add(socket: ServiceSocket): void {
    this.accepted++
    this.#open.add(socket)
    this.#backlog.push(socket)
    // Nobody can listen to it yet: that it fails must not be the end of the program.
    socket.on('error', untaken)
    this.changed()
  }

  /** It is over. One that was never added is none of them. */
  remove(socket: ServiceSocket): void {
    if (!this.#open.delete(socket)) return
    this.#backlog = this.#backlog.filter((other) => other !== socket)
    add(this.#ended, socket)
    this.changed()
  }

  /** The first that nobody has taken. */
  take(): ServiceSocket | undefined {
    for (;;) {
      const socket = this.#backlog.shift()
      // One that has failed has nothing to give.
      if (socket?.destroyed) continue
      return socket?.off('error', untaken)
    }
  }

  /** Those that nobody has taken. */
  takeAll(): ServiceSocket[] {
    return this.#backlog.splice(0)
  }

  destroyAll(): void {
    for (const socket of this.#open) socket.destroy()
  }

  /** Wakes those who wait. */
  changed(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }

  /** Resolves with the next change. */
  change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve))
  }

  /** Open ones by domain: those that have any. */
  byDomain(): Record<number, number> {
    const domains: Record<number, number> = {}
    for (const { domid } of this.#open) domains[domid] = (domains[domid] ?? 0) + 1
    return domains
  }

  /** Of all, also of those that have ended. */
  totals(): StreamTotals {
    const totals = { ...this.#ended }
    for (const socket of this.#open) add(totals, socket)
    return totals
  }
}

function untaken(): void {}

function add(totals: StreamTotals, socket: ServiceSocket): void {
  for (const name of Object.keys(totals) as (keyof StreamTotals)[]) totals[name] += socket[name]
}
