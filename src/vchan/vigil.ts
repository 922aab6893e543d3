import type { EventEmitter } from 'node:events'
import process from 'node:process'
import { clearInterval, setInterval } from 'node:timers'
import { NO_PORT } from '../abi.js'
import { onAbort } from '../abort.js'
import { closedError, GrantError } from '../errors.js'
import type { EventChannels } from '../events/event-channels.js'
import type { GrantServer } from '../grants/grant-server.js'
import type { GrantMapper } from '../mapping/grant-mapper.js'
import { type Dependent, dependents } from '../threads/dependents.js'
import { XenStoreError } from '../xenstore/store-error.js'
import type { XenStore } from '../xenstore/xen-store.js'
import { type Link, undo } from './link.js'
import type { Sign } from './sign.js'

/** What of a domain a vchan is made with: its Xen. */
export interface DomainParts {
  /** Opened when first called. */
  grants(): Promise<GrantServer>
  /** Opened when first called. */
  mapper(): Promise<GrantMapper>
  /** Opened when first called. */
  events(): Promise<EventChannels>
  /** Opened when first called. */
  store(): Promise<XenStore>
  /** Closed before the parts are. */
  readonly [dependents]?: Set<Dependent>
}

/** One vchan, as far as it is watched over. */
export interface Watched extends Dependent {
  /** Of its other end. */
  readonly domid: number
  /** Look at everything again. */
  look(): void
  /** Xen knows the domain, and xenstored serves it, as far as it tells. */
  domainThere?(): void
  /** @param known to Xen, as long as its pages are mapped; but xenstored does not serve it */
  domainGone(known: boolean): void
  /** Where xenstored does not say whether a domain is there. */
  readonly sign?: Sign | undefined
}

/** How often, in milliseconds. */
const PERIOD = 400

/**
 * Looks after all vchans of one domain in this thread. A domain that is destroyed tells nobody: no byte of its pages changes
 * and no event is sent. So Xen is asked, once for each domain and period. It knows a domain for as long as somebody maps a
 * page of it, as a client does: so xenstored is asked too, which answers domain 0 only, and in a guest a sign is looked for that
 * goes with the domain. And a vchan whose peer clears the bits by which it should be woken goes on all the same, slowly.
 */
export class Vigil implements Dependent {
  static readonly #all = new WeakMap<DomainParts, Vigil>()
  readonly #parts: DomainParts
  readonly #watched = new Set<Watched>()
  /** Those that are being served or connected. */
  readonly #opening = new Set<Dependent>()
  readonly #heard = new WeakSet<EventEmitter>()
  #timer: NodeJS.Timeout | undefined
  #asking = false
  /** Only domain 0 is told whom xenstored serves. */
  #privileged = true

  private constructor(parts: DomainParts) {
    this.#parts = parts
  }

  static of(parts: DomainParts): Vigil {
    let vigil = Vigil.#all.get(parts)
    if (!vigil) {
      vigil = new Vigil(parts)
      Vigil.#all.set(parts, vigil)
      parts[dependents]?.add(vigil)
    }
    return vigil
  }

  /**
   * The parts are opened on behalf of a vchan, so nobody may know that they emit errors. The vchans concerned tell of them
   * too; what nobody else listens to is a warning and not the end of the program.
   */
  hear(...parts: EventEmitter[]): void {
    for (const part of parts) {
      if (this.#heard.has(part)) continue
      this.#heard.add(part)
      part.on('error', (error: Error) => {
        if (part.listenerCount('error') === 1) process.emitWarning(error)
        this.#lookAtAll()
      })
      part.on('close', () => this.#lookAtAll())
    }
  }

  /** @param open gets a signal that is aborted with the caller's, or when the domain's Xen is closed */
  async open(signal: AbortSignal | undefined, open: (stop: AbortController) => Promise<Link>): Promise<Link> {
    signal?.throwIfAborted()
    const stop = new AbortController()
    const takeBack = signal && onAbort(signal, () => stop.abort(signal.reason))
    // To add the first listener of a signal and to remove the last one takes long, and each request to xenstored would do both.
    const keep = onAbort(stop.signal, () => {})
    const opened = unlessAborted(open(stop), stop.signal)
    const ended = opened.then(
      () => {},
      () => {},
    )
    const entry = {
      close: (): Promise<void> => {
        stop.abort(closedError("this domain's Xen"))
        return ended
      },
    }
    this.#opening.add(entry)
    try {
      return await opened
    } finally {
      takeBack?.()
      keep()
      this.#opening.delete(entry)
    }
  }

  add(watched: Watched): void {
    this.#watched.add(watched)
    // What a vchan waits for keeps the program alive, not this.
    this.#timer ??= setInterval(() => void this.#look(), PERIOD).unref()
  }

  remove(watched: Watched): void {
    this.#watched.delete(watched)
    if (this.#watched.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Closes all vchans at once. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#opening].map((one) => one.close()))
    await Promise.allSettled([...this.#watched].map((one) => one.close()))
  }

  #lookAtAll(): void {
    for (const watched of [...this.#watched]) watched.look()
  }

  async #look(): Promise<void> {
    this.#lookAtAll()
    if (this.#asking) return
    this.#asking = true
    try {
      const events = await this.#parts.events()
      for (const domid of new Set([...this.#watched].map((watched) => watched.domid))) {
        const known = await isKnown(events, domid)
        if (known === undefined) continue
        const there = known && !(await this.#released(domid))
        for (const watched of [...this.#watched]) {
          if (watched.domid !== domid) continue
          if (there && (this.#privileged || !watched.sign?.gone())) watched.domainThere?.()
          else watched.domainGone(known)
        }
      }
    } catch {
      // Without event channels no vchan goes on: each hears of that by its own.
    } finally {
      this.#asking = false
    }
  }

  /**
   * Whether xenstored does not serve a domain. It stops at once when that is destroyed, whoever maps its pages. It has served one
   * that has a vchan, which has put keys there, or read them.
   */
  async #released(domid: number): Promise<boolean> {
    if (!this.#privileged) return false
    try {
      const store = await this.#parts.store()
      return !(await store.isIntroduced(domid))
    } catch (error) {
      // Without xenstored streams go on.
      if (error instanceof XenStoreError && error.code === 'EACCES') this.#privileged = false
      return false
    }
  }
}

/** Who has stopped waiting does not expect what has come all the same. */
async function unlessAborted(opening: Promise<Link>, signal: AbortSignal): Promise<Link> {
  const link = await opening
  return signal.aborted ? undo(signal.reason, link.release(false)) : link
}

/**
 * Xen looks for the domain first (ESRCH) and for the port second (EINVAL), in any domain. It knows one that has been destroyed
 * for as long as somebody maps a page of it.
 * @returns undefined when it has not said
 */
async function isKnown(events: EventChannels, domid: number): Promise<boolean | undefined> {
  try {
    const channel = await events.bindInterdomain(domid, NO_PORT)
    await channel.close()
    return true
  } catch (error) {
    if (!(error instanceof GrantError)) return undefined
    // Of this library's own: Xen has not been asked, and a domain that is not there yet has not been seen.
    return error.code.startsWith('ERR_') ? undefined : error.code !== 'ESRCH'
  }
}
