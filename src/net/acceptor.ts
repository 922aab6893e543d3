import { clearTimeout, setTimeout } from 'node:timers'
import { onAbort } from '../abort.js'
import type { EventChannel } from '../events/event-channel.js'
import { LOOK, Offer } from '../vchan/offer.js'
import { absolute } from '../vchan/options.js'
import { Rendezvous } from '../vchan/rendezvous.js'
import { ServerLink } from '../vchan/server-link.js'
import { type DomainParts, Vigil, type Watched } from '../vchan/vigil.js'
import { XenStoreError } from '../xenstore/store-error.js'
import { pathOf } from './options.js'
import { ServiceSocket } from './service-socket.js'

/** How long after a failure the next offer is tried, in milliseconds. */
const AGAIN = 1000

/** What an acceptor works for. */
export interface Host {
  readonly parts: DomainParts
  /** The domain that listens. */
  readonly self: number
  readonly name: string
  readonly window: number
  /** Whether the domain may have one connection more. */
  hasRoom(domid: number): boolean
  /** Resolves when it may. @throws the signal's reason */
  room(domid: number, signal: AbortSignal): Promise<void>
  accepted(socket: ServiceSocket): void
  /** It has given everything back. */
  over(socket: ServiceSocket): void
  /** No offer stands for that domain; another is tried after a while. */
  failed(domid: number, error: Error): void
  /** It has been destroyed. */
  gone(domid: number): void
}

/**
 * Serves the clients of one domain, one offer after the other: when a client has taken one, the next takes its place under the
 * same keys. So each connection has pages and a port of its own, and no domain keeps another from connecting.
 */
export class Acceptor implements Watched {
  readonly domid: number
  readonly #host: Host
  readonly #stop = new AbortController()
  /** The offer that stands. */
  #offer: Offer | undefined
  /** Of offers that nobody can take any more: their keys may be in xenstore still, and the last of them are. */
  readonly #stale = new Set<Offer>()
  /** Lets the connection know that its keys are gone. */
  #replaced = (): void => {}
  /** The domain need not be there yet when it is allowed to connect. It is when Xen has said so, or a client of it has come. */
  #seen = false
  #started: Promise<void> | undefined
  #served: Promise<void> | undefined

  constructor(domid: number, host: Host) {
    this.domid = domid
    this.#host = host
  }

  /** Fires when this ends. */
  get signal(): AbortSignal {
    return this.#stop.signal
  }

  /** Resolves when the first offer stands. @throws what making it throws, and then nothing is left of it */
  start(): Promise<void> {
    this.#started ??= this.#start()
    return this.#started
  }

  async #start(): Promise<void> {
    const { signal } = this.#stop
    signal.throwIfAborted()
    const meeting = await this.#meeting()
    // What an earlier self has left, before a port is bound: it could be the one that those keys name.
    await meeting.clear(this.#host.self, signal)
    try {
      await this.#renew()
    } catch (error) {
      await this.#withdraw()
      throw error
    }
    Vigil.of(this.#host.parts).add(this)
    this.#served = this.#serve()
  }

  /** Takes back what is offered. Connections stay. */
  async end(reason: Error): Promise<void> {
    this.#stop.abort(reason)
    await Promise.allSettled([this.#started])
    Vigil.of(this.#host.parts).remove(this)
    await this.#served
  }

  look(): void {}

  domainThere(): void {
    this.#seen = true
  }

  domainGone(): void {
    if (this.#seen) this.#host.gone(this.domid)
  }

  /** With the service, which hears of the end of its Xen itself. */
  async close(): Promise<void> {}

  async #serve(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await this.#serveOne()
      } catch (error) {
        if (!signal.aborted) this.#host.failed(this.domid, error as Error)
        await this.#withdraw()
        await this.#sleep(AGAIN, undefined)
      }
    }
    await this.#withdraw()
  }

  async #serveOne(): Promise<void> {
    const { signal } = this.#stop
    if (!this.#offer) {
      if (!this.#host.hasRoom(this.domid)) {
        await this.#withdraw()
        await this.#host.room(this.domid, signal)
      }
      await this.#renew()
    }
    const offer = this.#offer!
    while (!offer.taken) {
      await this.#sleep(LOOK, offer.channel)
      signal.throwIfAborted()
    }
    this.#accept(offer)
  }

  /** Hands out the connection. @throws GrantError ERR_GRANTS_PROTOCOL */
  #accept(offer: Offer): void {
    const { parts, name, over } = this.#host
    const replaced = new Promise<void>((resolve) => {
      this.#replaced = resolve
    })
    const link = new ServerLink(offer, replaced)
    this.#seen = true
    this.#offer = undefined
    this.#stale.add(offer)
    offer.channel.ref()
    this.#host.accepted(new ServiceSocket(link, Vigil.of(parts), name, over))
  }

  /** Makes an offer, in place of the one before. */
  async #renew(): Promise<void> {
    const { signal } = this.#stop
    const { parts, window } = this.#host
    const meeting = await this.#meeting()
    const sizes = { receiveBytes: window, sendBytes: window }
    const offer = await Offer.make(parts, meeting, { domid: this.domid, ...sizes, signal })
    this.#offer = offer
    try {
      await offer.publish(this.#host.self)
    } catch (error) {
      this.#offer = undefined
      // It may be there all the same, if no answer has come.
      await offer.end().catch((failure: Error) => this.#endLater(offer, failure))
      throw error
    }
    this.#stale.clear()
    this.#replaced()
    // Whether waiting for clients keeps the process alive is the service's to say.
    offer.channel.unref()
  }

  /** Takes back the offer and all keys. What xenstored refuses now is tried again with the next failure, and at the end. */
  async #withdraw(): Promise<void> {
    const offer = this.#offer
    this.#offer = undefined
    try {
      if (offer) await offer.end().catch((error: Error) => this.#endLater(offer, error))
      for (const one of this.#stale) {
        // What has been lost is opened anew; but a Xen that is being closed opens nothing any more.
        const meeting = await this.#meeting().catch(() => one.meeting)
        await meeting.withdraw(one.keys)
        this.#stale.delete(one)
      }
    } catch (error) {
      this.#host.failed(this.domid, error as Error)
    } finally {
      this.#replaced()
    }
  }

  /** Its pages and its port have been given back in any case, as far as they can be; its keys may be there. */
  #endLater(offer: Offer, error: Error): void {
    this.#stale.add(offer)
    if (!(error instanceof XenStoreError)) this.#host.failed(this.domid, error)
  }

  /** Xen's store may be another one than the last time: the connection to xenstored may have been lost. */
  async #meeting(): Promise<Rendezvous> {
    const { parts, name, self } = this.#host
    return new Rendezvous(await parts.store(), absolute(pathOf(name, this.domid), self))
  }

  /** Until the time is over, the channel has an event, or this ends. */
  #sleep(milliseconds: number, channel: EventChannel | undefined): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.#stop
      const wake = (): void => {
        clearTimeout(timer)
        takeBack()
        channel?.off('event', wake).off('close', wake)
        resolve()
      }
      let takeBack = (): void => {}
      const timer = setTimeout(wake, milliseconds).unref()
      if (signal.aborted) return wake()
      takeBack = onAbort(signal, wake)
      channel?.on('event', wake).on('close', wake)
    })
  }
}
