import type { Buffer } from 'node:buffer'
import { performance } from 'node:perf_hooks'
import { nextTick } from 'node:process'
import { Duplex } from 'node:stream'
import { clearTimeout, setImmediate, setTimeout } from 'node:timers'
import { type InspectOptionsStylized, inspect } from 'node:util'
import { publish } from '../diagnostics.js'
import { GrantError } from '../errors.js'
import { inLine } from '../inspect.js'
import { AwaitedDomain } from './awaited-domain.js'
import { connectLink } from './connect.js'
import { CHUNK_BYTES, Inflow } from './inflow.js'
import type { Link } from './link.js'
import { streamClosed, streamOpened } from './open-streams.js'
import { checkConnect, checkServe, type VchanConnectOptions, type VchanServeOptions } from './options.js'
import { type Callback, Outflow } from './outflow.js'
import { Refusal } from './refusal.js'
import { serveLink } from './serve.js'
import { Turn } from './turn.js'
import { type DomainParts, Vigil, type Watched } from './vigil.js'

/** How long the end of a device may take to be known here, in milliseconds. */
const LOSS_GRACE = 250

/**
 * One end of a vchan: a stream of bytes to and from a program in another domain, of this library or on libxenvchan.
 *
 * There is no half-open state. `end()` waits until the other end has taken every byte or is gone, and closes both directions;
 * `destroy()` closes at once. When the other end closes or dies, what it had written is still read, then comes 'end'. A write
 * that it does not take any more fails with EPIPE.
 *
 * Errors: ECONNRESET, its domain has been destroyed, or it has gone without reading all; ERR_GRANTS_PROTOCOL, it does what no end of a vchan does; ERR_GRANTS_WORKER_DIED; ERR_GRANTS_CLOSED, the
 * Xen it was made with has been closed.
 */
export class Vchan extends Duplex {
  /** Of the other end. */
  readonly domid: number
  /** Where in xenstore they met, absolute. */
  readonly path: string
  readonly #link: Link
  readonly #vigil: Vigil
  readonly #watched: Watched
  readonly #inflow: Inflow
  readonly #outflow: Outflow
  readonly #began = performance.now()
  #eventsSent = 0
  #eventsReceived = 0
  /** What has been written without waiting. */
  #writing = new Turn()
  #final: Callback | undefined
  #peerGone = false
  #scheduled = false
  /** Bytes that the other end has left in the ring. */
  #unread = 0
  #released: Promise<void> | undefined
  readonly #refusal = new Refusal(this)
  #suspicion: NodeJS.Timeout | undefined

  /** @internal */
  constructor(link: Link, vigil: Vigil) {
    const { end, channel, domid, path } = link
    super({
      allowHalfOpen: false,
      readableHighWaterMark: Math.max(end.reader.size, CHUNK_BYTES),
      writableHighWaterMark: Math.max(end.writer.size, CHUNK_BYTES),
    })
    this.domid = domid
    this.path = path
    this.#link = link
    this.#vigil = vigil
    const notify = (): void => this.#notify()
    this.#inflow = new Inflow(end, {
      push: (chunk) => this.push(chunk),
      notify,
      later: () => this.#later(),
    })
    this.#outflow = new Outflow(end, { notify, later: () => this.#later() })
    this.#watched = {
      domid,
      sign: link.sign,
      look: () => this.#look(),
      domainGone: () => this.#fail(this.#error('ECONNRESET', 'the domain has been destroyed'), true),
      close: () => this.#close(),
    }
    vigil.add(this.#watched)
    streamOpened(this)
    publish('xen-grants:stream-open', () => ({ domid, path }))
    channel.on('event', this.#woken)
    channel.once('close', this.#channelLost)
    // It may have been closed before.
    this.#channelLost()
    // What was there before anybody listened.
    this.#later()
  }

  /**
   * Offers a vchan to one other domain, and waits until a client of it has connected. The keys in xenstore stand until
   * then, or until `signal` aborts; those that an earlier server left under the same path are removed first.
   *
   * @throws GrantError ESRCH: there is no such domain; ECONNRESET: it has been destroyed; what sharing pages, binding a port and
   *   writing to xenstore throws; TypeError or RangeError; the signal's reason
   */
  static async serve(xen: DomainParts, options: VchanServeOptions): Promise<Vchan> {
    const checked = checkServe(xen, options)
    const vigil = Vigil.of(xen)
    const open = async (stop: AbortController): Promise<Link> => {
      const awaited = new AwaitedDomain(checked.domid, checked.path, stop)
      vigil.add(awaited)
      try {
        return await serveLink(xen, { ...checked, signal: stop.signal })
      } finally {
        vigil.remove(awaited)
      }
    }
    return new Vchan(await vigil.open(checked.signal, open), vigil)
  }

  /**
   * Connects to what another domain offers, and waits for that if it does not yet, or if another client is connected.
   *
   * @throws GrantError ETIMEDOUT, which says what was missing last; ERR_GRANTS_PROTOCOL: what is offered is no vchan;
   *   what mapping grants and binding ports throws; TypeError or RangeError; the signal's reason
   */
  static async connect(xen: DomainParts, options: VchanConnectOptions): Promise<Vchan> {
    const checked = checkConnect(xen, options)
    const vigil = Vigil.of(xen)
    const open = (stop: AbortController): Promise<Link> => connectLink(xen, checked, stop)
    return new Vchan(await vigil.open(checked.signal, open), vigil)
  }

  /** Taken from the ring, in bytes. */
  get bytesRead(): number {
    return this.#inflow.bytes
  }

  /** Put into the ring, in bytes: the other end need not have taken them. */
  get bytesWritten(): number {
    return this.#outflow.bytes
  }

  /** Notifications that this end has sent. Two ends that are never waited for send few. */
  get eventsSent(): number {
    return this.#eventsSent
  }

  /** Events that the other end has sent and that have arrived here; several may arrive as one. */
  get eventsReceived(): number {
    return this.#eventsReceived
  }

  /** How often a write had to wait because the other end had not taken enough: it is slower than this one, or the ring is small. */
  get stalls(): number {
    return this.#outflow.stalls
  }

  /** While it is open the process is kept alive, as it is from the beginning. */
  ref(): this {
    this.#link.channel.ref()
    return this
  }

  /** It does not keep the process alive. */
  unref(): this {
    this.#link.channel.unref()
    return this
  }

  /** @internal */
  override _read(): void {
    if (!this.#released) this.#guarded(() => this.#inflow.want())
  }

  /** @internal */
  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    this.#write([chunk], callback)
  }

  /** @internal */
  override _writev(items: { chunk: Buffer }[], callback: Callback): void {
    this.#write(
      items.map(({ chunk }) => chunk),
      callback,
    )
  }

  /**
   * What is in the ring at once is said to be so a little later: what is written meanwhile, in the same turn, comes together
   * then, and the other end is woken once for all of it.
   */
  #write(chunks: readonly Buffer[], callback: Callback): void {
    const { bytes } = this.#outflow
    let atOnce = true
    this.#outflow.begin(chunks, (error) => {
      if (!atOnce) callback(error)
      else if (this.#turnEnds(this.#outflow.bytes - bytes)) setImmediate(callback, error)
      else nextTick(callback, error)
    })
    if (this.#released) this.#conclude()
    else this.#guarded(() => this.#outflow.fill())
    atOnce = false
  }

  /** Whether others are to have their turn, while the other end takes as fast as this one writes. */
  #turnEnds(written: number): boolean {
    this.#writing.spend(written)
    const { over } = this.#writing
    if (over) this.#writing = new Turn()
    return over
  }

  /** @internal */
  override _final(callback: Callback): void {
    this.#final = callback
    // By who is being given a chunk, perhaps: other listeners are to have that before the next.
    queueMicrotask(() => {
      if (this.#released) this.#conclude()
      else this.#look()
    })
  }

  /** @internal */
  override _destroy(error: Error | null, callback: Callback): void {
    clearTimeout(this.#suspicion)
    // Before a caller is told, who may throw.
    this.#leave(false).then(
      () => this.#over(error, callback),
      (failure) => this.#over(error ?? failure, callback),
    )
    this.#refusal.end()
    this.#outflow.giveUp()?.(error ?? this.#error('ERR_GRANTS_CLOSED', 'closed before all was written'))
  }

  #over(error: Error | null, callback: Callback): void {
    streamClosed(this)
    publish('xen-grants:stream-close', () => {
      const { domid, path, bytesRead, bytesWritten, eventsSent, eventsReceived, stalls } = this
      const milliseconds = performance.now() - this.#began
      const counts = { bytesRead, bytesWritten, eventsSent, eventsReceived, stalls }
      return { domid, path, ...counts, milliseconds, ...(error && { error }) }
    })
    callback(error)
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    const { domid, path } = this
    const state = this.destroyed ? 'closed' : this.#peerGone ? 'the other end has gone' : 'open'
    return inLine('Vchan', { domid, path, state }, options)
  }

  readonly #woken = (): void => {
    this.#eventsReceived++
    this.#look()
  }

  /** The owner of the channel has died or been closed. */
  readonly #channelLost = (): void => {
    const error = this.#link.channel.ended
    if (error) this.#lose(error)
  }

  #lose(error: Error): void {
    if (!this.#released) this.#fail(error, false)
  }

  /** Everything that may have happened since the last time. Too often does no harm. */
  #look(): void {
    if (this.#released) return
    this.#guarded(() => {
      // Before the rings: see peerGone().
      this.#peerGone ||= this.#link.end.peerGone()
      if (this.#peerGone) return this.#finish()
      this.#inflow.read()
      if (!this.#released) this.#outflow.fill()
      if (!this.#released && this.#final && this.#outflow.allTaken()) this.#finish()
    })
  }

  /** What the other end does wrong ends the stream, and not the program. */
  #guarded(work: () => void): void {
    const { lost, end } = this.#link
    if (lost) {
      this.#lose(lost)
      return
    }
    try {
      if (end.intact) work()
      else this.#suspect()
    } catch (error) {
      if (!(error instanceof GrantError)) this.#thrown(error)
      // Zeros in place of indexes are no fault of the other end.
      else if (end.intact) this.#lose(error)
      else this.#suspect()
    }
  }

  /** By a listener: that is not the stream's to swallow, nor its end. */
  #thrown(error: unknown): void {
    queueMicrotask(() => {
      throw error
    })
    this.#later()
  }

  /** In a turn of its own. */
  #later(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#look()
    })
  }

  #notify(): void {
    this.#eventsSent++
    this.#link.channel.notify()
  }

  /** The other end has gone, or has everything that was written. What it has written itself is not lost. */
  #finish(): void {
    this.#inflow.drain()
    if (this.#released) return
    if (this.#peerGone) this.#unread = this.#outflow.untaken
    // What giving back fails with is told when the stream is destroyed.
    this.#leave(false).catch(() => {})
    try {
      this.push(null)
      // As net.Socket does: when nothing is left to read, who does not read sees the end as well, and it closes.
      this.read(0)
    } finally {
      // Also when a listener throws: nobody looks any more.
      this.#conclude()
    }
  }

  /** Tells who waits for a write or for the end. */
  #conclude(): void {
    const write = this.#outflow.giveUp()
    const final = this.#final
    this.#final = undefined
    const unread = this.#unread
    if (write) this.#refusal.begin(write, this.#error('EPIPE', 'closed before all was written'))
    else if (final && unread > 0)
      this.#refusal.begin(final, this.#error('ECONNRESET', `closed with ${unread} bytes unread`))
    else final?.()
  }

  /**
   * The page does not say any more that this end is open. Either zero pages have taken its place, of which its owner tells a
   * little later; or the server has taken it back, as it does with a client that takes too long to unmap it; or the other end
   * has overwritten it.
   */
  #suspect(): void {
    this.#suspicion ??= setTimeout(() => {
      const { lost, end } = this.#link
      const error = end.zeroed
        ? this.#error('ECONNRESET', 'its pages have been taken back before all was read')
        : this.#error('ERR_GRANTS_PROTOCOL', 'it has overwritten what is not its own')
      this.#lose(lost ?? error)
    }, LOSS_GRACE)
  }

  #error(code: string, what: string): GrantError {
    const { domid, path } = this
    return new GrantError(code, `the vchan with domain ${domid} at ${path}: ${what}`, { domid, path })
  }

  #fail(error: Error, peerDead: boolean): void {
    this.#leave(peerDead).catch(() => {})
    this.destroy(error)
  }

  /** With the Xen it was made with. */
  #close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.closed) resolve()
      this.once('close', resolve)
      this.destroy()
    })
  }

  #leave(peerDead: boolean): Promise<void> {
    this.#released ??= this.#release(peerDead)
    return this.#released
  }

  #release(peerDead: boolean): Promise<void> {
    const { channel } = this.#link
    this.#inflow.stop()
    channel.off('event', this.#woken)
    channel.off('close', this.#channelLost)
    this.#vigil.remove(this.#watched)
    return this.#link.release(peerDead)
  }
}
