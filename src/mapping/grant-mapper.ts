import { EventEmitter } from 'node:events'
import { checkBoolean, checkOptions, checkSignal } from '../arguments.js'
import { DeviceThread } from '../client/device-thread.js'
import { type CloseOptions, checkFillers, IN_PLACE_BELOW } from '../client/grant-client.js'
import { ServiceLine } from '../client/service-line.js'
import { assertSupported } from '../client/support.js'
import { closedError, type GrantError } from '../errors.js'
import type { EventChannel } from '../events/event-channel.js'
import { FillerPool } from '../fill/pool.js'
import type { MapService } from '../protocol/messages.js'
import { type CopyOptions, type CopyResult, checkSegments, copyResults } from './copy.js'
import { type MappedContext, MappedGrant } from './mapped-grant.js'
import {
  type CheckedMap,
  checkMap,
  type MapOptions,
  type MapperOptions,
  mapDeviceOf,
} from './mapper-options.js'

interface GrantMapperEvents {
  /** The device is closed, by close() or because its worker died. */
  close: []
  /** The worker of the device died. */
  error: [Error]
}

/** The other end: maps what other domains have granted to this one, through gntdev, in a worker of its own. */
export class GrantMapper extends EventEmitter<GrantMapperEvents> {
  readonly #thread: DeviceThread
  readonly #context: MappedContext
  #closing: Promise<void> | undefined

  private constructor(thread: DeviceThread, context: MappedContext) {
    super()
    this.#thread = thread
    this.#context = context
    thread.once('end', (died) => this.#afterEnd(died))
  }

  /**
   * @throws GrantError ERR_GRANTS_UNSUPPORTED off Linux; ENOENT, EACCES, … when the device cannot be opened; TypeError
   * or RangeError for bad options; the signal's reason
   */
  static async open(options?: MapperOptions): Promise<GrantMapper> {
    const { device, fillers, signal } = checkOptions<MapperOptions>('options', options, [
      'device',
      'fillers',
      'signal',
    ])
    const descriptor = mapDeviceOf(device)
    const checkedFillers = checkFillers(fillers)
    checkSignal('options.signal', signal)
    assertSupported()
    const thread = await DeviceThread.start('mapper.js', { descriptor }, signal)
    const memory = await import('../memory/view.js')
    FillerPool.preload()
    const context: MappedContext = {
      line: new ServiceLine<MapService>(thread),
      fillers: new FillerPool(checkedFillers, () => {}),
      inPlaceBelow: checkedFillers.inPlaceBelow ?? IN_PLACE_BELOW,
      memory,
      mapped: new Set(),
      filled: () => {},
    }
    return new GrantMapper(thread, context)
  }

  /**
   * Maps grants, all or none.
   *
   * @throws GrantError EINVAL, with `domid` and `ref` of a reference that cannot be mapped where one is at fault;
   * ENOMEM; ERR_GRANTS_CLOSED; ERR_GRANTS_WORKER_DIED; TypeError or RangeError; the signal's reason
   */
  async map(options: MapOptions): Promise<MappedGrant> {
    const checked = checkMap(options)
    this.#mustBeOpen()
    const { line } = this.#context
    const channel = await this.#bindOffered(checked)
    const { request } = checked
    if (channel) request.status!.port = channel.port
    let facts: { id: number; address: number }
    try {
      facts = await line.call((service) => service.map(request))
    } finally {
      // The notification holds the channel by itself; without it there is nothing to hold it for.
      await channel?.close().catch(() => {})
    }
    const { names, writable } = request
    const mapped = new MappedGrant({ ...facts, names, writable }, this.#context)
    if (options.signal?.aborted) {
      await mapped.unmap()
      throw options.signal.reason
    }
    return mapped
  }

  async #bindOffered({ events, port, domid, request }: CheckedMap): Promise<EventChannel | undefined> {
    if (!events || port === undefined || !request.status) return undefined
    return events.bindInterdomain(domid, port)
  }

  /**
   * Grant copy: Xen copies between grants of other domains and memory of this process, without mapping. Local memory
   * must not be transferred or detached until it settles.
   *
   * @returns how each segment went: one that fails does not keep the others from being copied
   */
  async copy(segments: readonly CopyOptions[]): Promise<CopyResult[]> {
    const checked = checkSegments(segments, this.#context.memory.addressOf)
    this.#mustBeOpen()
    if (checked.length === 0) return []
    const statuses = await this.#context.line.call((service) => service.copy(checked))
    keepAlive(segments)
    return copyResults(statuses)
  }

  /** Unmaps everything and closes the device. Waits for fills and runs; with force it aborts them. */
  async close(options?: CloseOptions): Promise<void> {
    const { force = false } = checkOptions<CloseOptions>('options', options, ['force'])
    checkBoolean('options.force', force)
    if (this.#thread.died) return
    if (this.#closing && force)
      for (const grant of this.#context.mapped) void grant.unmap({ force }).catch(() => {})
    this.#closing ??= this.#close(force)
    await this.#closing
  }

  async #close(force: boolean): Promise<void> {
    const { line, fillers, mapped } = this.#context
    // What fails here goes with the device.
    await Promise.allSettled([...mapped].map((grant) => grant.unmap({ force })))
    await fillers.close()
    await line.close(force)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #mustBeOpen(): void {
    if (this.#thread.died) throw this.#thread.died
    if (this.#closing) throw closedError()
  }

  #afterEnd(died: GrantError | undefined): void {
    if (died) for (const grant of [...this.#context.mapped]) grant.lost(died)
    this.emit('close')
    if (died) this.emit('error', died)
  }
}

/** The worker copies by address: the memory must not be collected before it is done. */
function keepAlive(_segments: readonly CopyOptions[]): void {}
