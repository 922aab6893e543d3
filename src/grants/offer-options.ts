import type { EventChannel } from '../events/event-channel.js'

/** How a grant is offered. */
export interface OfferOptions {
  /** Bound for the peer's domain: wakes this side when the peer unmaps, if the peer has event channels too. */
  channel?: EventChannel | undefined
  /** Wait for a page to come free for the status, as in `share()`. Default false. */
  wait?: boolean | undefined
  signal?: AbortSignal | undefined
}

/** How to wait until the peer has unmapped the pages. */
export interface ReleasedOptions {
  signal?: AbortSignal | undefined
}
