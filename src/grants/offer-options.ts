import type { EventChannel } from '../events/event-channel.js'

export interface OfferOptions {
  /** Bound for the peer's domain: wakes this side when the peer unmaps, if the peer has event channels too. */
  channel?: EventChannel
}

export interface ReleasedOptions {
  signal?: AbortSignal
}
