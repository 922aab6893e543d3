/** What gets the events of a port: an open file of the event channel device. */
export interface PortFile {
  push(number: number): void
}

/** One end of an event channel. */
export class Port {
  readonly domid: number
  readonly number: number
  /** Who may bind to it while nobody has; undefined for nobody. */
  remoteDomid: number | undefined
  /** The other end. What is sent without one is lost, and no error. */
  peer: Port | undefined
  virq: number | undefined
  /** The file that gets its events. */
  file: PortFile | undefined
  /** One for the file (or the test), one for each armed notification. */
  users = 1
  /** Events sent through it. */
  sent = 0
  /** It has fired and has not been unmasked since. */
  #masked = false
  /** It was raised while masked. However often: that is one event. */
  #pending = false

  constructor(domid: number, number: number, remoteDomid: number | undefined) {
    this.domid = domid
    this.number = number
    this.remoteDomid = remoteDomid
  }

  /** Notifies the other end. */
  send(): void {
    this.sent++
    this.peer?.raise()
  }

  raise(): void {
    if (this.file === undefined) return
    if (this.#masked) {
      this.#pending = true
      return
    }
    this.#masked = true
    this.file.push(this.number)
  }

  unmask(): void {
    if (!this.#masked) return
    this.#masked = false
    if (!this.#pending) return
    this.#pending = false
    this.raise()
  }
}
