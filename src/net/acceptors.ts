import { closedError } from '../errors.js'
import { Acceptor, type Host } from './acceptor.js'
import { Claim } from './claim.js'

interface Accepting {
  acceptor: Acceptor
  /** With what the place is given back with. */
  started: Promise<Claim>
}

/** The domains whose clients may connect to a service, each with what serves them. */
export class Acceptors {
  readonly #host: Host
  readonly #allowed = new Map<number, Accepting>()
  /** What is being taken back from domains that are not allowed any more. */
  readonly #ending = new Map<number, Promise<void>>()

  constructor(host: Host) {
    this.#host = host
  }

  get domids(): number[] {
    return [...this.#allowed.keys()]
  }

  has(domid: number): boolean {
    return this.#allowed.has(domid)
  }

  /** Resolves when an offer stands for that domain. @throws what making it throws; GrantError EADDRINUSE, ERR_GRANTS_CLOSED */
  async allow(domid: number): Promise<void> {
    const one = this.#allowed.get(domid) ?? this.#start(domid)
    this.#allowed.set(domid, one)
    try {
      await one.started
    } catch (error) {
      // It may have been denied, and allowed once more.
      if (this.#allowed.get(domid) === one) this.#allowed.delete(domid)
      throw error
    }
  }

  /** Resolves when what was offered has been taken back. Never rejects. */
  deny(domid: number): Promise<void> {
    const known = this.#allowed.get(domid)
    this.#allowed.delete(domid)
    return known ? this.#end(domid, known) : (this.#ending.get(domid) ?? Promise.resolve())
  }

  /** The same for all domains, also for those that have just been denied. They stay in the list. */
  async end(): Promise<void> {
    for (const [domid, one] of this.#allowed) void this.#end(domid, one)
    await Promise.all(this.#ending.values())
  }

  #start(domid: number): Accepting {
    const acceptor = new Acceptor(domid, this.#host)
    // What was offered to it before is taken back first.
    const before = this.#ending.get(domid)
    const start = async (): Promise<Claim> => {
      await before
      const { parts, self, name } = this.#host
      const claim = await Claim.take({ parts, self, name, domid }, acceptor.signal)
      try {
        await acceptor.start()
        return claim
      } catch (error) {
        await this.#release(domid, claim)
        throw error
      }
    }
    return { acceptor, started: start() }
  }

  #end(domid: number, { acceptor, started }: Accepting): Promise<void> {
    const end = async (): Promise<void> => {
      await acceptor.end(closedError('the service'))
      // Why it could not be started is told to who has allowed it.
      const claim = await started.catch(() => undefined)
      if (claim) await this.#release(domid, claim)
      if (this.#ending.get(domid) === ended) this.#ending.delete(domid)
    }
    const ended = end()
    this.#ending.set(domid, ended)
    return ended
  }

  async #release(domid: number, claim: Claim): Promise<void> {
    try {
      await claim.release()
    } catch (error) {
      this.#host.failed(domid, error as Error)
    }
  }
}
