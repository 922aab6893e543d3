import type { Buffer } from 'node:buffer'
import { clearTimeout, setTimeout } from 'node:timers'
import { type InspectOptionsStylized, inspect } from 'node:util'
import { checkFunction, checkInteger, MAX_TIMER } from '../arguments.js'
import { inLine } from '../inspect.js'
import type { Link } from '../vchan/link.js'
import type { Callback } from '../vchan/outflow.js'
import { Vchan } from '../vchan/vchan.js'
import type { Vigil } from '../vchan/vigil.js'

/**
 * One connection of a service: a {@link Vchan} with the manners of `net.Socket`, so that what takes one (an HTTP server, a
 * protocol library) takes this. There is no half-open state, and nothing to delay: what is written is in the other domain's
 * memory at once.
 *
 * Beside the events of a Duplex it emits 'timeout', see {@link setTimeout}.
 */
export class ServiceSocket extends Vchan {
  /** Of the service. */
  readonly name: string
  readonly #over: ((socket: ServiceSocket) => void) | undefined
  #timeout = 0
  #timer: NodeJS.Timeout | undefined
  /** Bytes, when the timer was last set. */
  #written = 0

  /** @internal @param over no listener for 'close': a program may remove all there are */
  constructor(link: Link, vigil: Vigil, name: string, over?: (socket: ServiceSocket) => void) {
    super(link, vigil)
    this.name = name
    this.#over = over
  }

  /** The other domain, for logs: `xen:7`. */
  get remoteAddress(): string {
    return `xen:${this.domid}`
  }

  /** What stands in the place of IPv4 or IPv6: `xen`. */
  get remoteFamily(): string {
    return 'xen'
  }

  /** It is handed out when it has connected. */
  get connecting(): boolean {
    return false
  }

  /** False: it is handed out when it has connected. */
  get pending(): boolean {
    return false
  }

  /** Which directions are open, as of a `net.Socket`. */
  get readyState(): 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.destroyed) return 'closed'
    if (this.readable) return this.writable ? 'open' : 'readOnly'
    return this.writable ? 'writeOnly' : 'closed'
  }

  /** In milliseconds, 0 when there is none. */
  get timeout(): number {
    return this.#timeout
  }

  /**
   * Emits 'timeout' when nothing has moved in either direction for so long: that is all, it stays open.
   * @param milliseconds 0 to 2^31-1. 0: never
   * @param callback a listener for the first one
   * @throws TypeError, RangeError
   */
  setTimeout(milliseconds: number, callback?: () => void): this {
    checkInteger('milliseconds', milliseconds, 0, MAX_TIMER)
    if (callback !== undefined) checkFunction('callback', callback)
    this.#timeout = milliseconds
    this.#watchForTimeout()
    if (callback !== undefined) {
      if (milliseconds > 0) this.once('timeout', callback)
      else this.off('timeout', callback)
    }
    return this
  }

  /** Does nothing: nothing is ever held back. */
  setNoDelay(_noDelay?: boolean): this {
    return this
  }

  /** Does nothing: the end of the other domain is noticed in any case. */
  setKeepAlive(_enable?: boolean, _initialDelay?: number): this {
    return this
  }

  /** `end()`, then `destroy()` when the other end has taken everything. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  /** `destroy()`: there is no other way to say so to the other end. */
  resetAndDestroy(): this {
    return this.destroy()
  }

  /** @internal */
  override push(chunk: Buffer | null, encoding?: BufferEncoding): boolean {
    this.#active()
    return super.push(chunk, encoding)
  }

  /** @internal */
  override _write(chunk: Buffer, encoding: BufferEncoding, callback: Callback): void {
    this.#active()
    super._write(chunk, encoding, callback)
  }

  /** @internal */
  override _writev(items: { chunk: Buffer }[], callback: Callback): void {
    this.#active()
    super._writev(items, callback)
  }

  /** @internal */
  override _destroy(error: Error | null, callback: Callback): void {
    super._destroy(error, (failure) => {
      clearTimeout(this.#timer)
      this.#over?.(this)
      callback(failure)
    })
  }

  #watchForTimeout(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#timeout > 0 && !this.destroyed)
      this.#timer = setTimeout(() => this.#idle(), this.#timeout).unref()
  }

  #active(): void {
    this.#timer?.refresh()
    this.#written = this.bytesWritten
  }

  #idle(): void {
    // A large write goes on piece by piece, as there is room: the stream tells when it is done only.
    if (this.writableLength > 0 && this.bytesWritten !== this.#written) this.#active()
    else this.emit('timeout')
  }

  override [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    const { domid, name, readyState } = this
    return inLine('ServiceSocket', { domid, name, state: readyState }, options)
  }
}
