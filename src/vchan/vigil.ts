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

/** What of a domain a vchan is made with: its Xen. */
export interface DomainParts {
  grants(): Promise<GrantServer>
  mapper(): Promise<GrantMapper>
  events(): Promise<EventChannels>
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
  domainGone(): void
}

/** How often, in milliseconds. */
const PERIOD = 400

/**
 * Looks after all vchans of one domain in this thread. A domain that is destroyed tells nobody: no byte of its pages changes
 * and no event is sent. xenstored tells domain 0 only. So Xen is asked, once for each domain and period; and a vchan whose
 * peer clears the bits by which it should be woken goes on all the same, slowly.
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
  async open<T>(signal: AbortSignal | undefined, open: (stop: AbortController) => Promise<T>): Promise<T> {
    const stop = new AbortController()
    const takeBack = signal && onAbort(signal, () => stop.abort(signal.reason))
    const opened = open(stop)
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
        if (!(await isGone(events, domid)) && !(await this.#released(domid))) continue
        for (const watched of [...this.#watched]) if (watched.domid === domid) watched.domainGone()
      }
    } catch {
      // Without event channels no vchan goes on: each hears of that by its own.
    } finally {
      this.#asking = false
    }
  }

  /** Whether xenstored has stopped to serve a domain, which it does at once when that is destroyed, whoever maps its pages. */
  async #released(domid: number): Promise<boolean> {
    if (!this.#privileged) return false
    try {
      const store = await this.#parts.store()
      // It has served the domain, which has put keys there, or read them.
      return !(await store.isIntroduced(domid))
    } catch (error) {
      // Without xenstored streams go on.
      if (error instanceof XenStoreError && error.code === 'EACCES') this.#privileged = false
      return false
    }
  }
}

/**
 * Xen looks for the domain first (ESRCH) and for the port second (EINVAL), in any domain. It knows one that has been destroyed
 * for as long as somebody maps a page of it.
 */
async function isGone(events: EventChannels, domid: number): Promise<boolean> {
  try {
    const channel = await events.bindInterdomain(domid, NO_PORT)
    await channel.close()
    return false
  } catch (error) {
    return error instanceof GrantError && error.code === 'ESRCH'
  }
}
