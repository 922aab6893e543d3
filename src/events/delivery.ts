import { setImmediate } from 'node:timers'
import type { EventLine, EventListener } from '../drivers/evtchn/event-device.js'
import type { GrantError } from '../errors.js'
import type { ChannelControl } from './event-channel.js'

const NOW = Promise.resolve()

/**
 * What happens to ports that fire, in the thread of those who listen. A port stays masked until its event has been
 * delivered: events meanwhile become one, and a peer that fires continuously cannot flood this thread.
 */
export class Delivery implements EventListener {
  readonly #line: EventLine
  readonly #channels = new Map<number, ChannelControl>()
  /** Ports that have fired before the answer to their bind was here: it comes by another way. */
  readonly #early = new Set<number>()
  /** Ports whose event has been delivered, or that could not be unmasked. */
  #masked: number[] = []
  #scheduled = false
  #triedAgain = false
  #waiting = 0
  #referenced = false
  #ended = false
  /** How often the driver has lost count of who fired. */
  overflows = 0
  /** Told of what failed that no caller waits for. */
  report: (error: GrantError) => void = () => {}

  constructor(line: EventLine) {
    this.#line = line
  }

  /** @param overflows as it was before the channel was bound */
  add(channel: ChannelControl, overflows: number): void {
    this.#channels.set(channel.port, channel)
    // It may have been of a channel that had the port before: an event too many is allowed, one too few is not.
    if (this.#early.delete(channel.port)) channel.deliver()
    if (overflows !== this.overflows) this.fired([channel.port])
  }

  remove(port: number): void {
    this.#channels.delete(port)
  }

  /** While there are listeners or pending waits, the thread is kept alive. */
  waiting(change: number): void {
    this.#waiting += change
    if (this.#waiting === 0) this.#afterwards()
    else if (!this.#referenced) this.#reference(true)
  }

  fired(ports: readonly number[]): void {
    if (this.#ended) return
    this.#masked.push(...ports)
    this.#triedAgain = false
    for (const port of ports) {
      try {
        const channel = this.#channels.get(port)
        if (channel) channel.deliver()
        else this.#early.add(port)
      } catch (error) {
        // A listener's: it must not keep the others from their events.
        queueMicrotask(() => {
          throw error
        })
      }
    }
    this.#afterwards()
  }

  failed(call: 'notify' | 'unmask' | 'read' | 'reset', error: GrantError, ports: readonly number[]): void {
    if (this.#ended) return
    if (call === 'read' && error.code === 'EFBIG') {
      this.overflows++
      this.#line.reset()
      this.fired([...this.#channels.keys()])
      return
    }
    // One that was closed meanwhile cannot be notified: nothing to report.
    if (call === 'notify' && !ports.some((port) => this.#channels.has(port))) return
    if (call === 'unmask') this.#tryAgain(ports)
    queueMicrotask(() => this.report(error))
  }

  /** Nothing is delivered any more. */
  end(reason: GrantError): void {
    this.#ended = true
    for (const channel of this.#channels.values()) channel.end(reason)
    this.#channels.clear()
  }

  /** Once, a turn later, and then with the next that fires: a port that stays masked never fires again. */
  #tryAgain(ports: readonly number[]): void {
    this.#masked.push(...ports)
    if (!this.#triedAgain) setImmediate(this.#settle)
    this.#triedAgain = true
  }

  /**
   * After the listeners, and what awaits an event, have run: what they have answered has then left before the unmasking, for
   * which no caller waits. Where all were waits that are over now, in the check phase, which follows the one in which files are
   * read: whoever waits again has done so by then. Listeners stay, and a phase of its own would take them as long as the
   * unmasking does. (A promise takes half of what queueMicrotask takes.)
   */
  #afterwards(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    if (this.#waiting === 0) setImmediate(this.#settle)
    else NOW.then(this.#settle)
  }

  readonly #settle = (): void => {
    this.#scheduled = false
    const ports = this.#masked
    this.#masked = []
    if (ports.length > 0 && !this.#ended) this.#line.unmask(ports)
    if (this.#waiting === 0 && this.#referenced) this.#reference(false)
  }

  #reference(referenced: boolean): void {
    this.#referenced = referenced
    if (referenced) this.#line.ref()
    else this.#line.unref()
  }
}
