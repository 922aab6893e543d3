import { EventEmitter } from 'node:events'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { checkInteger, checkOptions, checkSignal, invalidArgType } from '../arguments.js'
import { DeviceThread } from '../client/device-thread.js'
import { ServiceLine } from '../client/service-line.js'
import { assertSupported } from '../client/support.js'
import { type DeviceDescriptor, eventDescriptor } from '../device/seam.js'
import { closedError, type GrantError } from '../errors.js'
import { fromEnvelope } from '../protocol/envelope.js'
import type { EventReport, EventRequest, EventService, Outcome } from '../protocol/messages.js'
import { EventChannel } from './event-channel.js'

/** Stands for an event channel device that is not a path: a SimulatedXen, or one of its domains. */
export interface EventDeviceStandIn {
  readonly [eventDescriptor]: DeviceDescriptor
}

export interface EventChannelsOptions {
  /** Path of the device, or a SimulatedXen or one of its domains. Default '/dev/xen/evtchn'. */
  device?: string | EventDeviceStandIn
  /** Aborts the opening; once open it has no effect. */
  signal?: AbortSignal
}

interface EventChannelsEvents {
  /** The device is closed, by close() or because its worker died. */
  close: []
  /** A notification failed, or the worker of the device died. */
  error: [Error]
}

/** Event channels of this domain, served by a worker of their own. An idle one does not keep the process alive. */
export class EventChannels extends EventEmitter<EventChannelsEvents> {
  readonly #thread: DeviceThread
  readonly #line: ServiceLine<EventService>
  readonly #events: MessagePort
  readonly #channels = new Map<number, EventChannel>()
  /** Ports that have fired before the answer to their bind was here: it comes by another way. */
  readonly #early = new Set<number>()
  #outbox: EventRequest = { notify: [], unmask: [] }
  #flushing = false
  #waiting = 0
  #closing: Promise<void> | undefined

  private constructor(thread: DeviceThread) {
    super()
    const { port1, port2 } = new MessageChannel()
    this.#thread = thread
    this.#line = new ServiceLine<EventService>(thread, port2)
    this.#events = port1
    port1.on('message', (report: EventReport) => this.#receive(report))
    port1.unref()
    thread.once('end', (died) => this.#afterEnd(died))
  }

  /**
   * @throws GrantError ERR_GRANTS_UNSUPPORTED off Linux; ENOENT, EACCES, … when the device cannot be opened; TypeError
   * for bad options; the signal's reason
   */
  static async open(options?: EventChannelsOptions): Promise<EventChannels> {
    const { device, signal } = checkOptions<EventChannelsOptions>('options', options, ['device', 'signal'])
    const descriptor = eventDeviceOf(device)
    checkSignal('options.signal', signal)
    assertSupported()
    const thread = await DeviceThread.start('events.js', { descriptor }, signal)
    return new EventChannels(thread)
  }

  /** A fresh port that `domid` may bind to. @throws GrantError ENOSPC when the domain has no port left */
  async bindUnbound(domid: number): Promise<EventChannel> {
    checkInteger('domid', domid, 0, 0xffff)
    return this.#bind((service) => service.bindUnbound(domid))
  }

  /** @throws GrantError ESRCH: no such domain. EINVAL: its port is not waiting for this domain */
  async bindInterdomain(domid: number, port: number): Promise<EventChannel> {
    checkInteger('domid', domid, 0, 0xffff)
    checkInteger('port', port, 1, 0xffff_ffff)
    return this.#bind((service) => service.bindInterdomain(domid, port))
  }

  /** @param virq number of a virtual interrupt, see Xen `public/xen.h` @throws GrantError EEXIST, EINVAL */
  async bindVirq(virq: number): Promise<EventChannel> {
    checkInteger('virq', virq, 0, 0xffff_ffff)
    return this.#bind((service) => service.bindVirq(virq))
  }

  /** Gives up every right but to bind to `domid`. One way. @throws GrantError EINVAL for domain 0, EACCES */
  async restrict(domid: number): Promise<void> {
    checkInteger('domid', domid, 0, 0xffff)
    this.#mustBeOpen()
    await this.#line.call((service) => service.restrict(domid))
  }

  async #bind(
    bind: (
      service: Parameters<Parameters<ServiceLine<EventService>['call']>[0]>[0],
    ) => Promise<Outcome<number>>,
  ) {
    this.#mustBeOpen()
    const port = await this.#line.call(bind)
    const channel = new EventChannel(port, {
      notify: (port) => this.#send('notify', port),
      unbind: async (port) => {
        this.#channels.delete(port)
        if (!this.#closing && !this.#thread.died) await this.#line.call((service) => service.unbind(port))
      },
      waiting: (change) => {
        this.#waiting += change
        if (this.#waiting > 0) this.#events.ref()
        else this.#events.unref()
      },
    })
    this.#channels.set(port, channel)
    // It may have been of a channel that had the port before: an event too many is allowed, one too few is not.
    if (this.#early.delete(port)) channel.deliver()
    return channel
  }

  #receive(report: EventReport): void {
    if ('fired' in report) {
      for (const port of report.fired) {
        // Unmasked also when nobody is left to be told; an exception of a listener must not keep it masked.
        this.#send('unmask', port)
        const channel = this.#channels.get(port)
        if (channel) channel.deliver()
        else this.#early.add(port)
      }
    } else if ('failed' in report) {
      for (const { port, error } of report.failed) {
        // One that was closed meanwhile cannot be notified: nothing to report.
        if (this.#channels.has(port)) this.emit('error', fromEnvelope(error))
      }
    } else {
      this.emit('error', fromEnvelope(report.lost))
    }
  }

  /** What is sent in one turn travels in one message, after the listeners of the turn have run. */
  #send(kind: keyof EventRequest, port: number): void {
    this.#outbox[kind].push(port)
    if (this.#flushing) return
    this.#flushing = true
    queueMicrotask(() => {
      this.#flushing = false
      const outbox = this.#outbox
      this.#outbox = { notify: [], unmask: [] }
      if (!this.#thread.died) this.#events.postMessage(outbox)
    })
  }

  /** Unbinds every port. Whoever waits is told. */
  async close(): Promise<void> {
    if (this.#thread.died) return
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #close(): Promise<void> {
    for (const channel of this.#channels.values()) channel.end(closedError())
    await this.#line.close(false)
    this.#events.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #mustBeOpen(): void {
    if (this.#thread.died) throw this.#thread.died
    if (this.#closing) throw closedError()
  }

  #afterEnd(died: GrantError | undefined): void {
    for (const channel of this.#channels.values()) channel.end(died ?? closedError())
    this.#channels.clear()
    this.emit('close')
    if (died) this.emit('error', died)
  }
}

const DEFAULT_DEVICE = '/dev/xen/evtchn'

function eventDeviceOf(device: unknown = DEFAULT_DEVICE): DeviceDescriptor {
  if (typeof device === 'string') {
    if (device === '' || device.includes('\0')) throw invalidArgType('options.device', 'a path', device)
    const module = new URL('../device/evtchn.js', import.meta.url).href
    return { module, options: { path: device }, path: device, simulated: false }
  }
  const descriptor = (device as Partial<EventDeviceStandIn> | null)?.[eventDescriptor]
  if (!descriptor)
    throw invalidArgType('options.device', 'a path, a SimulatedXen or one of its domains', device)
  return descriptor
}
