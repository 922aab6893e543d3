/** What gets the events of a port: an open file of the event channel device. */
export interface PortFile {
  /** The port fires from now on, until `unbind`. */
  bind(number: number): void
  unbind(number: number): void
  /** What names the port to the other end, see `connect`. */
  addressOf(number: number): number
  /** @param peer address of the other end, 0 if nothing gets its events */
  connect(number: number, peer: number): void
  /** Events that its program has sent through it since it was bound. */
  sent(number: number): number
  raise(number: number): void
  /** Its event may have been lost on its way to the program. */
  queueAgain(number: number): void
}

/** One end of an event channel. */
export class Port {
  readonly domid: number
  readonly number: number
  /** Who may bind to it while nobody has; undefined for nobody. */
  remoteDomid: number | undefined
  virq: number | undefined
  /** One for the file (or the test), one for each armed notification. */
  users = 1
  /** The other end. What is sent without one is lost, and no error. */
  #peer: Port | undefined
  /** The file that gets its events. */
  #file: PortFile | undefined
  /** Apart from those that the program of its file has sent. */
  #sent = 0

  constructor(domid: number, number: number, remoteDomid: number | undefined) {
    this.domid = domid
    this.number = number
    this.remoteDomid = remoteDomid
  }

  get isConnected(): boolean {
    return this.#peer !== undefined
  }

  /** Events sent through it. */
  get sent(): number {
    return this.#sent + (this.#file?.sent(this.number) ?? 0)
  }

  /** From now on a file gets its events. */
  attach(file: PortFile): void {
    this.#file = file
    file.bind(this.number)
    this.#tellPeer()
  }

  /** From now on nothing gets its events. */
  detach(): void {
    const file = this.#file
    if (file === undefined) return
    this.#sent = this.sent
    this.#file = undefined
    // First, so that the program of the other end does not come with an event for whatever has this place next.
    this.#tellPeer()
    file.unbind(this.number)
  }

  connect(peer: Port): void {
    this.#peer = peer
    peer.#peer = this
    this.#tellPeer()
    peer.#tellPeer()
  }

  /** Xen leaves the other end as if it had just been bound for this domain. */
  disconnect(): void {
    const peer = this.#peer
    if (peer === undefined) return
    this.#peer = undefined
    peer.#peer = undefined
    peer.remoteDomid = this.domid
    peer.#file?.connect(peer.number, 0)
  }

  /** Notifies the other end. */
  send(): void {
    this.#sent++
    this.#peer?.raise()
  }

  raise(): void {
    this.#file?.raise(this.number)
  }

  /** The program of this end has ended, perhaps between the two halves of a notification: what it has raised is queued. */
  finishSending(): void {
    const peer = this.#peer
    if (peer !== undefined) peer.#file?.queueAgain(peer.number)
  }

  /** Where the program of the other end finds this one. */
  #tellPeer(): void {
    const peer = this.#peer
    if (peer !== undefined) peer.#file?.connect(peer.number, this.#file?.addressOf(this.number) ?? 0)
  }
}
