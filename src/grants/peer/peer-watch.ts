import { performance } from 'node:perf_hooks'
import { untilAborted } from '../../abort.js'
import { GrantError } from '../../errors.js'
import type { EventChannel } from '../../events/event-channel.js'
import { eventOrPause } from '../../events/event-or-pause.js'
import type { GrantOffer } from '../../pages/offer.js'
import type { PeerState } from '../../pages/peer-status.js'
import type { Deferred } from './deferred-pages.js'
import type { DomainExists } from './domain-exists.js'
import type { SlotOptions, StatusPages, StatusSlot } from './status-pages.js'

/** How often the status bytes are looked at, in milliseconds: alone, and beside an event channel that may wake us. */
const POLL = 20
const POLL_BESIDE_CHANNEL = 250
/** How often Xen is asked whether the peer's domain still exists, in milliseconds. */
const LOOK_FOR_DOMAIN = 1000

/** What one grant knows of its peer. */
export class PeerWatch {
  readonly #board: StatusPages
  readonly #deferred: Deferred
  readonly #domainExists: DomainExists
  #known: StatusSlot | undefined
  #channel: EventChannel | undefined
  #over = false
  #freeing: Promise<void> = Promise.resolve()

  constructor(board: StatusPages, deferred: Deferred, domainExists: DomainExists) {
    this.#board = board
    this.#deferred = deferred
    this.#domainExists = domainExists
  }

  async status(
    domid: number,
    channel: EventChannel | undefined,
    wanted: SlotOptions,
  ): Promise<GrantOffer['status']> {
    if (!this.#known) {
      const slot = await this.#board.slot(domid, wanted)
      if (this.#over) {
        // Taken back while the status page was on its way.
        await slot.free()
        throw new GrantError('ERR_GRANTS_UNSHARED', 'the grant was unshared while it was being offered')
      }
      // Offered twice at the same moment: the first slot is the one.
      if (this.#known) await slot.free()
      else this.#known = slot
    }
    const { ref, offset } = this.#known
    this.#channel = channel ?? this.#channel
    return this.#channel ? { ref, offset, port: this.#channel.port } : { ref, offset }
  }

  get state(): PeerState {
    return this.#known?.state() ?? 'unknown'
  }

  /**
   * Resolves when the peer has mapped the grant and unmapped it, when its domain is gone, or when nothing can be known.
   */
  async released(signal: AbortSignal | undefined): Promise<PeerState> {
    let looked = Number.NEGATIVE_INFINITY
    for (;;) {
      const { state } = this
      if (state === 'released' || state === 'unknown') return state
      if (performance.now() - looked >= LOOK_FOR_DOMAIN) {
        await untilAborted(this.#lookForDomain(), signal)
        looked = performance.now()
      } else {
        await this.#change(signal)
      }
    }
  }

  async #lookForDomain(): Promise<void> {
    const slot = this.#known
    if (slot && (await this.#domainExists(slot.domid)) === false) slot.domainGone()
  }

  #change(signal: AbortSignal | undefined): Promise<void> {
    const channel = this.#channel
    return eventOrPause(channel, channel ? POLL_BESIDE_CHANNEL : POLL, signal)
  }

  /** The grant has been taken back. What the peer still maps is counted until it unmaps it. */
  end(pages: number): void {
    this.#over = true
    const slot = this.#known
    if (!slot) return
    this.#known = undefined
    if (slot.state() === 'mapped') this.#deferred.add(pages, slot)
    else this.#freeing = slot.free()
  }

  /** Resolves when what {@link end} gives back has been given back. */
  ended(): Promise<void> {
    return this.#freeing
  }
}
