import { type Channel, channel } from 'node:diagnostics_channel'
import { debuglog, inspect } from 'node:util'
import { sayWhoAsked } from './errors.js'

/**
 * What monitoring tools may listen to, with `diagnostics_channel.subscribe(name, listener)`. Messages are plain data;
 * nothing is built without a subscriber. `NODE_DEBUG=xen-grants` prints the same.
 */
export interface DiagnosticMessages {
  /** A grant has been made. `milliseconds` from the call to its end. */
  'xen-grants:share': { id: number; domid: number; pages: number; writable: boolean; milliseconds: number }
  /** A grant's pages are back with the driver. */
  'xen-grants:unshare': { id: number; domid: number; pages: number; force: boolean }
  'xen-grants:fill': { id: number; domid: number; bytes: number; slices: number; milliseconds: number }
  /** A vchan has connected: at either end, also of a service. */
  'xen-grants:stream-open': { domid: number; path: string }
  /** It has given back everything. `error`: what it was destroyed with. The counts are those of the stream itself. */
  'xen-grants:stream-close': {
    domid: number
    path: string
    bytesRead: number
    bytesWritten: number
    eventsSent: number
    eventsReceived: number
    stalls: number
    milliseconds: number
    error?: Error
  }
  /** A call of the public API rejected, or something failed for which no caller waits. */
  'xen-grants:error': { operation: string; error: Error }
  /** share() was refused because `maxQueue` requests wait already. */
  'xen-grants:saturated': { pending: number; maxQueue: number }
}

type Name = keyof DiagnosticMessages

const names: Name[] = [
  'xen-grants:share',
  'xen-grants:unshare',
  'xen-grants:fill',
  'xen-grants:stream-open',
  'xen-grants:stream-close',
  'xen-grants:error',
  'xen-grants:saturated',
]
const channels = Object.fromEntries(names.map((name) => [name, channel(name)])) as Record<Name, Channel>
const debug = debuglog('xen-grants')

/** A call of the public API: when it rejects, 'xen-grants:error' says so. */
export async function published<T>(operation: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    sayWhoAsked(error, published)
    publish('xen-grants:error', () => ({ operation, error: error as Error }))
    throw error
  }
}

/** Whether there is a subscriber: asked first where even an unused closure would cost. */
export function isHeard(name: Name): boolean {
  return channels[name].hasSubscribers || debug.enabled
}

export function publish<N extends Name>(name: N, message: () => DiagnosticMessages[N]): void {
  if (!isHeard(name)) return
  const target = channels[name]
  const data = message()
  if (debug.enabled) debug('%s %s', name, inspect(data, { breakLength: Number.POSITIVE_INFINITY }))
  if (target.hasSubscribers) target.publish(data)
}
