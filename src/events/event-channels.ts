import { EventEmitter } from 'node:events'
import { type InspectOptionsStylized, inspect } from 'node:util'
import { checkInteger, checkOptions, checkSignal } from '../arguments.js'
import { evtchn } from '../drivers/catalogue.js'
import type { DeviceDescriptor } from '../drivers/descriptor.js'
import { type EventDeviceModule, type EventLine, eventDescriptor } from '../drivers/evtchn/event-device.js'
import { resolveDevice } from '../drivers/resolve-device.js'
import { assertSupported } from '../drivers/support.js'
import { closedError, type GrantError } from '../errors.js'
import { inLine } from '../inspect.js'
import { importOwn } from '../native/own-file.js'
import { DeviceThread } from '../threads/device-thread.js'
import { announceEnd, Lifecycle } from '../threads/lifecycle.js'
import { ServiceLine } from '../threads/service-client.js'
import type { ThreadData } from '../threads/thread-messages.js'
import { Delivery } from './delivery.js'
import { EventChannel } from './event-channel.js'
import type { EventService, EventServiceData } from './event-messages.js'

/** Stands for an event channel device that is not a path: a SimulatedXen, or one of its domains. */
export interface EventDeviceStandIn {
  readonly [eventDescriptor]: DeviceDescriptor
}

/** How event channels are opened. */
export interface EventChannelsOptions {
  /** Path of the device, or a SimulatedXen or one of its domains. Default '/dev/xen/evtchn'. */
  device?: string | EventDeviceStandIn | undefined
  /** Aborts the opening; once open it has no effect. */
  signal?: AbortSignal | undefined
}

interface EventChannelsEvents {
  /** The device is closed, by close() or because its worker died. */
  close: []
  /** A notification or a call on the device failed for which no caller waits, or its worker died. */
  error: [Error]
}

/**
 * Event channels of this domain. A worker of their own binds and unbinds; notifying and delivering are done in the thread
 * that opened them, since none of that ever waits. An idle one does not keep the process alive.
 */
export class EventChannels extends EventEmitter<EventChannelsEvents> {
  readonly #line: EventLine
  readonly #service: ServiceLine<EventService>
  readonly #delivery: Delivery
  readonly #lifecycle = new Lifecycle('the event channels')
  #lineClosed: Promise<void> | undefined

  private constructor(line: EventLine, delivery: Delivery, thread: DeviceThread) {
    super()
    this.#line = line
    this.#delivery = delivery
    this.#service = new ServiceLine<EventService>(thread, 'the event channels')
    delivery.report = (error) => this.emit('error', error)
    thread.once('end', (died) => void this.#afterEnd(died))
  }

  /**
   * @throws GrantError ERR_GRANTS_UNSUPPORTED off Linux; ENOENT, EACCES, … when the device cannot be opened; TypeError
   * for bad options; the signal's reason
   */
  static async open(options?: EventChannelsOptions): Promise<EventChannels> {
    const { device, signal } = checkOptions<EventChannelsOptions>('options', options, ['device', 'signal'])
    const { module, options: own } = resolveDevice(device, evtchn)
    checkSignal('options.signal', signal)
    assertSupported()
    const { openEventLine } = (await importOwn(module)) as EventDeviceModule
    const line = await openEventLine(own)
    try {
      const delivery = new Delivery(line)
      line.start(delivery)
      const data: Omit<EventServiceData, keyof ThreadData> = { module, file: line.file }
      const thread = await DeviceThread.start('events.js', data, signal)
      return new EventChannels(line, delivery, thread)
    } catch (error) {
      await line.close()
      throw error
    }
  }

  /** A fresh port that `domid` may bind to. @throws GrantError ENOSPC when the domain has no port left */
  async bindUnbound(domid: number): Promise<EventChannel> {
    checkInteger('domid', domid, 0, 0xffff)
    return this.#bind(() => this.#service.call('bindUnbound', domid))
  }

  /** @throws GrantError ESRCH: no such domain. EINVAL: its port is not waiting for this domain */
  async bindInterdomain(domid: number, port: number): Promise<EventChannel> {
    checkInteger('domid', domid, 0, 0xffff)
    checkInteger('port', port, 1, 0xffff_ffff)
    return this.#bind(() => this.#service.call('bindInterdomain', domid, port))
  }

  /** @param virq number of a virtual interrupt, see Xen `public/xen.h` @throws GrantError EEXIST, EINVAL */
  async bindVirq(virq: number): Promise<EventChannel> {
    checkInteger('virq', virq, 0, 0xffff_ffff)
    return this.#bind(() => this.#service.call('bindVirq', virq))
  }

  /** Gives up every right but to bind to `domid`. One way. @throws GrantError EINVAL for domain 0, EACCES */
  async restrict(domid: number): Promise<void> {
    checkInteger('domid', domid, 0, 0xffff)
    this.#lifecycle.mustBeOpen()
    await this.#service.call('restrict', domid)
  }

  async #bind(bind: () => Promise<number>): Promise<EventChannel> {
    this.#lifecycle.mustBeOpen()
    const { overflows } = this.#delivery
    const port = await bind()
    return new EventChannel(port, {
      opened: (control) => this.#delivery.add(control, overflows),
      notify: (port) => this.#line.notify(port),
      unbind: async (port) => {
        this.#delivery.remove(port)
        if (!this.#lifecycle.closing && !this.#lifecycle.lost) await this.#service.call('unbind', port)
      },
      waiting: (change) => this.#delivery.waiting(change),
    })
  }

  /** Unbinds every port. Pending waits reject. */
  async close(): Promise<void> {
    await this.#lifecycle.close(() => this.#close())
  }

  async #close(): Promise<void> {
    this.#delivery.end(closedError('the event channels'))
    await this.#service.close()
    await this.#lineClosed
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    return inLine('EventChannels', { state: this.#lifecycle.state }, options)
  }

  /** For `await using`: {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Only now: the worker has borrowed what the line owns. */
  async #afterEnd(died: GrantError | undefined): Promise<void> {
    if (died) this.#lifecycle.lose(died)
    this.#delivery.end(died ?? closedError('the event channels'))
    this.#lineClosed = this.#line.close()
    await this.#lineClosed
    announceEnd(this, died)
  }
}
