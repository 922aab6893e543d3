import { Buffer } from 'node:buffer'
import { GrantError } from '../errors.js'
import type { EventChannel } from '../events/event-channel.js'
import type { MappedGrant } from '../mapping/mapped-grant.js'
import { XenStoreError } from '../xenstore/store-error.js'
import { ClientLink } from './client-link.js'
import { type Layout, Live, NONCE_SIZE, Notify, Page, placeOfNonce, readLayout } from './layout.js'
import { undo } from './link.js'
import type { CheckedConnect } from './options.js'
import type { Keys, Rendezvous } from './rendezvous.js'
import type { Sign } from './sign.js'
import { type DomainParts, Vigil } from './vigil.js'

/** What can be otherwise at the next attempt. The text says what was missing. */
class NotYet extends Error {}

const NO_KEYS = 'there are no keys for this domain'
const CHANGED = 'its keys have changed while they were read'

/** One look at what a server offers, and everything that is done with it. */
export class Attempt {
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

  /** Looks for less, where nothing has been found just before. @returns what is missing, if it may come */
  async runAgain(): Promise<ClientLink | string> {
    return (await this.#meeting.stands(this.#signal)) ? this.run() : NO_KEYS
  }

  /** @returns what is missing, if it may come */
  async run(): Promise<ClientLink | string> {
    try {
      const keys = await this.#keys()
      if (!keys) return NO_KEYS
      return await this.#bind(keys)
    } catch (error) {
      if (error instanceof NotYet) return error.message
      throw error
    }
  }

  async #keys(): Promise<Keys | undefined> {
    const { domid } = this.#options
    const { base } = this.#meeting
    try {
      const keys = await this.#meeting.read(this.#signal)
      if (keys === 'changed') throw new NotYet(CHANGED)
      if (keys) checkKeys(keys, domid, base)
      return keys
    } catch (error) {
      if (!(error instanceof XenStoreError) || error.code !== 'ERR_GRANTS_PROTOCOL') throw error
      throw noKeys(domid, base, error.message, error)
    }
  }

  async #bind(keys: Keys): Promise<ClientLink> {
    const { domid } = this.#options
    // Beside all else: nothing waits for it before the connection is there.
    const sign = this.#meeting.sign(keys, domid, this.#signal)
    sign.catch(() => {})
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
      return await this.#map(keys, channel, sign)
    } catch (error) {
      return undo(error, channel.close())
    }
  }

  async #map(keys: Keys, channel: EventChannel, sign: Promise<Sign | undefined>): Promise<ClientLink> {
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
      const both = Promise.all([map(layout.leftRefs, true), map(layout.rightRefs, false)])
      // With the rings, and not before this is known to be the page that the keys mean: it would tell another's server of a
      // client that has come and gone.
      const armed = control.setUnmapNotify({ clearByte: Page.clientLive, port: channel.port })
      const [[left, right], found] = await Promise.all([both.catch(ringsPassing), sign, armed])
      this.#signal.throwIfAborted()
      const link = new ClientLink({
        domid,
        path: this.#meeting.base,
        channel,
        control,
        left,
        right,
        layout,
        sign: found,
      })
      greet(control.bytes, channel)
      return link
    } catch (error) {
      const mapped = await Promise.allSettled(rings)
      // No client has come as yet.
      await control.setUnmapNotify({}).catch(() => {})
      const unmapped = mapped.map((ring) => (ring.status === 'fulfilled' ? ring.value.unmap() : undefined))
      await Promise.allSettled(unmapped)
      return undo(error, control.unmap())
    }
  }

  /** Whether this is the page that the keys mean, and what it says. */
  async #inspect(keys: Keys, page: Uint8Array): Promise<Layout> {
    // Without a nonce the keys were read one by one, and a server may have been replaced meanwhile.
    if (keys.nonce === undefined) await this.#mustStand(keys)
    try {
      return this.#readPage(keys, page)
    } catch (error) {
      // Port and reference may be another connection's by now, and this one of its rings: keys go before what they name is given back.
      if (!(error instanceof NotYet)) await this.#mustStand(keys)
      throw error
    }
  }

  /** @throws NotYet; GrantError ERR_GRANTS_PROTOCOL: it is no page of a server */
  #readPage(keys: Keys, page: Uint8Array): Layout {
    const { domid, maxOrder } = this.#options
    const path = this.#meeting.base
    const live = Atomics.load(page, Page.serverLive)
    if (live === Live.gone) throw new NotYet('the server has closed it')
    if (live !== Live.connected) {
      const message = `the server of domain ${domid} at ${path} says of itself that it is ${live}`
      throw new GrantError('ERR_GRANTS_PROTOCOL', message, { domid, path })
    }
    const layout = readLayout(page, { domid, path }, keys.ref, maxOrder)
    const place = placeOfNonce(layout)
    if (keys.nonce !== undefined && place !== undefined) {
      // With that, page and port are of one server, and nothing has to be read again: it would have marked the page as closed
      // before it gave the port back.
      const found = Buffer.from(page.subarray(place, place + NONCE_SIZE)).toString('hex')
      if (found !== keys.nonce)
        throw new NotYet('its keys are those of a server that is gone, and lead to another')
      // One that is quick has come and gone before the server has looked: what is in the rings is not ours. On libxenvchan
      // servers serve one client after the other so.
      if (Atomics.load(page, Page.clientLive) !== Live.waiting)
        throw new NotYet('another client has used it, and the server has not yet noticed')
    }
    return layout
  }

  /** @throws NotYet when the keys are others now */
  async #mustStand({ ref, port, nonce }: Keys): Promise<void> {
    const now = await this.#keys()
    if (now?.ref !== ref || now.port !== port || now.nonce !== nonce) throw new NotYet(CHANGED)
  }
}

/** As libxenvchan does. Servers of Xen before 4.14 hear of it only so. */
function greet(page: Uint8Array, channel: EventChannel): void {
  Atomics.store(page, Page.clientLive, Live.connected)
  Atomics.store(page, Page.serverNotify, Notify.written)
  channel.notify()
}

/** @throws GrantError ERR_GRANTS_PROTOCOL */
function checkKeys({ ref, port }: Keys, domid: number, base: string): void {
  const possible = (value: number): boolean => value > 0 && value <= 0xffff_ffff
  if (possible(ref) && possible(port)) return
  throw noKeys(domid, base, `ring-ref ${ref}, event-channel ${port}`)
}

function noKeys(domid: number, base: string, what: string, cause?: unknown): GrantError {
  const message = `what domain ${domid} has at ${base} are no keys of a vchan: ${what}`
  return new GrantError('ERR_GRANTS_PROTOCOL', message, { domid, path: base, cause })
}

function ringsPassing(error: unknown): never {
  throw passing(error, 'a page of its rings cannot be mapped: the server is gone, or has not granted it')
}

/** What of a server that is gone, or taken, or not there yet. */
function passing(error: unknown, text: string): unknown {
  const known = error instanceof GrantError && (error.code === 'EINVAL' || error.code === 'ESRCH')
  return known ? new NotYet(`${text} (${error.code})`) : error
}
