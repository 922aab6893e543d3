/** The event channel ports bound by programs of this domain, as far as unmap notifications need them. */
export class EventPorts {
  /** Events sent to each port. */
  readonly #events = new Map<number, number>()

  /** @returns a new port, at least 1 */
  bind(): number {
    const port = this.#events.size + 1
    this.#events.set(port, 0)
    return port
  }

  isBound(port: number): boolean {
    return this.#events.has(port)
  }

  send(port: number): void {
    this.#events.set(port, (this.#events.get(port) ?? 0) + 1)
  }

  /** Events the port has got so far; undefined for a port that is not bound. */
  count(port: number): number | undefined {
    return this.#events.get(port)
  }
}
