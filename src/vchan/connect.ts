import { clearTimeout, setTimeout } from 'node:timers'
import { pause, untilAborted } from '../abort.js'
import { GrantError } from '../errors.js'
import type { EventChannel } from '../events/event-channel.js'
import type { MappedGrant } from '../mapping/mapped-grant.js'
import type { StoreWatch } from '../xenstore/watch-stream.js'
import { ClientLink } from './client-link.js'
import { type Layout, Live, NONCE_SIZE, Notify, Page, placeOfNonce, readLayout } from './layout.js'
import { undo } from './link.js'
import { absolute, type CheckedConnect } from './options.js'
import { type Keys, Rendezvous } from './rendezvous.js'
import { type DomainParts, Vigil } from './vigil.js'

/** How often a server is looked for when xenstored tells of no change, in milliseconds: one with a client keeps its keys. */
const RETRY = 250

/** Waits for the server. @param stop of the caller, aborted also when the time is over */
export async function connectLink(
  parts: DomainParts,
  options: CheckedConnect,
  stop: AbortController,
): Promise<ClientLink> {
  const { domid, timeout } = options
  const { signal } = stop
  const store = await parts.store()
  const meeting = new Rendezvous(store, absolute(options.path, domid))
  const attempt = new Attempt(parts, options, meeting, signal)
  let missing = await attempt.run()
  if (typeof missing !== 'string') return missing
  if (timeout === 0) throw timedOut(options, meeting, missing)
  const timer =
    timeout && setTimeout(() => stop.abort(timedOut(options, meeting, missing as string)), timeout)
  // Only now: most find their server at once. It begins with a change, so none between the two is missed.
  const changes = new Changes(store.watch(meeting.leaf))
  try {
    for (;;) {
      await changes.next(signal)
      missing = await attempt.run()
      if (typeof missing !== 'string') return missing
    }
  } finally {
    clearTimeout(timer)
    await changes.end()
  }
}

function timedOut({ domid, timeout }: CheckedConnect, { base }: Rendezvous, missing: string): GrantError {
  const waited = timeout === 0 ? '' : ` after ${timeout} ms`
  const message = `no vchan of domain ${domid} at ${base}${waited}: ${missing}`
  return new GrantError('ETIMEDOUT', message, { domid, path: base })
}

/** Changes of a node, or the time at which to look all the same. */
class Changes {
  readonly #watch: StoreWatch
  #next: Promise<unknown> | undefined
  #lost = false

  constructor(watch: StoreWatch) {
    this.#watch = watch
  }

  async next(signal: AbortSignal): Promise<void> {
    if (this.#lost) return pause(RETRY, signal)
    // A guest has few watches; without one it is slower. What the store was lost with comes with the next request.
    this.#next ??= this.#watch.next().catch(() => {
      this.#lost = true
    })
    const stop = new AbortController()
    const later = pause(RETRY, stop.signal).catch(() => 'stopped')
    try {
      if ((await untilAborted(Promise.race([this.#next, later]), signal)) !== undefined)
        this.#next = undefined
    } finally {
      stop.abort()
    }
  }

  async end(): Promise<void> {
    await this.#watch.return?.()
  }
}

/** What can be otherwise at the next attempt. The text says what was missing. */
class NotYet extends Error {}

class Attempt {
  readonly #parts: DomainParts
  readonly #options: CheckedConnect
  readonly #meeting: Rendezvous
  readonly #signal: AbortSignal

  constructor(parts: DomainParts, options: CheckedConnect, meeting: Rendezvous, signal: AbortSignal) {
    this.#parts = parts
    this.#options = options
    this.#meeting = meeting
    this.#signal = signal
  }

  /** @returns what is missing, if it may come */
  async run(): Promise<ClientLink | string> {
    try {
      const keys = await this.#meeting.read(this.#signal)
      if (!keys) return `there are no keys for this domain`
      checkKeys(keys, this.#options.domid, this.#meeting.base)
      return await this.#bind(keys)
    } catch (error) {
      if (error instanceof NotYet) return error.message
      throw error
    }
  }

  async #bind(keys: Keys): Promise<ClientLink> {
    const { domid } = this.#options
    const events = await this.#parts.events()
    Vigil.of(this.#parts).hear(events)
    let channel: EventChannel
    try {
      channel = await events.bindInterdomain(domid, keys.port)
    } catch (error) {
      throw passing(
        error,
        `port ${keys.port} is not free: another client is connected, or the server is gone`,
      )
    }
    try {
      return await this.#map(keys, channel)
    } catch (error) {
      return undo(error, channel.close())
    }
  }

  async #map(keys: Keys, channel: EventChannel): Promise<ClientLink> {
    const { domid } = this.#options
    const mapper = await this.#parts.mapper()
    Vigil.of(this.#parts).hear(mapper)
    let control: MappedGrant<true>
    try {
      control = await mapper.map({ domid, refs: [keys.ref], writable: true })
    } catch (error) {
      throw passing(error, `reference ${keys.ref} cannot be mapped: the server is gone`)
    }
    const rings: Promise<MappedGrant>[] = []
    try {
      const layout = await this.#inspect(keys, control.bytes)
      const map = (refs: number[], writable: boolean): Promise<MappedGrant> | undefined => {
        if (refs.length === 0) return undefined
        const ring = mapper.map({ domid, refs, writable })
        rings.push(ring)
        return ring
      }
      const [left, right] = await Promise.all([map(layout.leftRefs, true), map(layout.rightRefs, false)])
      this.#signal.throwIfAborted()
      const link = new ClientLink({ domid, path: this.#meeting.base, channel, control, left, right, layout })
      // Not before: it would tell the server of a client that has come and gone, which may be another's server.
      await control.setUnmapNotify({ clearByte: Page.clientLive, port: channel.port })
      greet(control.bytes, channel)
      return link
    } catch (error) {
      const mapped = await Promise.allSettled(rings)
      const unmapped = mapped.map((ring) => (ring.status === 'fulfilled' ? ring.value.unmap() : undefined))
      await Promise.allSettled(unmapped)
      return undo(error, control.unmap())
    }
  }

  /** Whether this is the page that the keys mean, and what it says. */
  async #inspect(keys: Keys, page: Uint8Array): Promise<Layout> {
    const { domid, maxOrder } = this.#options
    // The keys were read one by one, and a server may have been replaced meanwhile.
    const now = await this.#meeting.read(this.#signal)
    if (now?.ref !== keys.ref || now.port !== keys.port || now.nonce !== keys.nonce)
      throw new NotYet('its keys have changed while they were read')
    if (Atomics.load(page, Page.serverLive) !== Live.connected) throw new NotYet('the server has closed it')
    const layout = readLayout(page, domid, keys.ref, maxOrder)
    const place = placeOfNonce(layout)
    if (keys.nonce !== undefined && place !== undefined) {
      const found = hex(page.subarray(place, place + NONCE_SIZE))
      if (found !== keys.nonce)
        throw new NotYet('its keys are those of a server that is gone, and lead to another')
    }
    return layout
  }
}

/** As libxenvchan does. Servers of Xen before 4.14 hear of it only so. */
function greet(page: Uint8Array, channel: EventChannel): void {
  Atomics.store(page, Page.clientLive, Live.connected)
  Atomics.store(page, Page.serverNotify, Notify.written)
  channel.notify()
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes.slice(), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** @throws XenStoreError ERR_GRANTS_PROTOCOL */
function checkKeys({ ref, port }: Keys, domid: number, base: string): void {
  const possible = (value: number): boolean => value > 0 && value <= 0xffff_ffff
  if (possible(ref) && possible(port)) return
  const message = `what domain ${domid} has at ${base} are no keys of a vchan: ring-ref ${ref}, event-channel ${port}`
  throw new GrantError('ERR_GRANTS_PROTOCOL', message, { domid, path: base })
}

/** What of a server that is gone, or taken, or not there yet. */
function passing(error: unknown, text: string): unknown {
  const known = error instanceof GrantError && (error.code === 'EINVAL' || error.code === 'ESRCH')
  return known ? new NotYet(`${text} (${error.code})`) : error
}
