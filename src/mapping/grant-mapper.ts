import { EventEmitter } from 'node:events'
import { type InspectOptionsStylized, inspect } from 'node:util'
import { checkOptions, checkSignal } from '../arguments.js'
import { gntdev } from '../drivers/catalogue.js'
import { resolveDevice } from '../drivers/resolve-device.js'
import { assertSupported } from '../drivers/support.js'
import { closedError, type GrantError } from '../errors.js'
import { checkFillers, IN_PLACE_BELOW } from '../fill/filler-options.js'
import { FillerThreads } from '../fill/filler-threads.js'
import { FillMeter } from '../fill/meter.js'
import { FillerPool } from '../fill/pool.js'
import { inLine } from '../inspect.js'
import { type CloseOptions, checkClose } from '../threads/close-options.js'
import { DeviceThread } from '../threads/device-thread.js'
import { announceEnd, Lifecycle } from '../threads/lifecycle.js'
import { cleanUp } from '../threads/orphans.js'
import { ServiceLine } from '../threads/service-client.js'
import { type CopyOptions, type CopyResult, checkSegments, copyResults } from './copy.js'
import { encodeSegments } from './copy-message.js'
import { encodeMap } from './map-message.js'
import type { MapAnswer, MapService } from './map-messages.js'
import type { MappedContext } from './mapped-context.js'
import { MappedGrant } from './mapped-grant.js'
import { MappedWork } from './mapped-work.js'
import { type CheckedMap, checkMap, type MapOptions, type MapperOptions } from './mapper-options.js'
import { type OfferedPort, OfferedPorts } from './offered-ports.js'

interface GrantMapperEvents {
  /** The device is closed, by close() or because its worker died. */
  close: []
  /** The worker of the device died. */
  error: [Error]
}

/** The other end: maps what other domains have granted to this one, through gntdev, in a worker of its own. */
export class GrantMapper extends EventEmitter<GrantMapperEvents> {
  readonly #context: MappedContext
  readonly #ports = new OfferedPorts()
  readonly #lifecycle = new Lifecycle('the grant mapper')

  private constructor(thread: DeviceThread, context: MappedContext) {
    super()
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
    const descriptor = resolveDevice(device, gntdev)
    const checkedFillers = checkFillers(fillers)
    checkSignal('options.signal', signal)
    assertSupported()
    const thread = await DeviceThread.start('mapper.js', { descriptor }, signal)
    FillerThreads.preload()
    const context: MappedContext = {
      line: new ServiceLine<MapService>(thread, 'the grant mapper'),
      fillers: new FillerPool(checkedFillers),
      inPlaceBelow: checkedFillers.inPlaceBelow ?? IN_PLACE_BELOW,
      mapped: new Set(),
      meter: new FillMeter(),
    }
    return new GrantMapper(thread, context)
  }

  /**
   * Maps grants, all or none.
   *
   * @throws GrantError EINVAL, with `domid` and `ref` of a reference that cannot be mapped where one is at fault;
   * ENOMEM; ERR_GRANTS_CLOSED; ERR_GRANTS_WORKER_DIED; TypeError or RangeError; the signal's reason
   */
  map(options: MapOptions & { writable: true }): Promise<MappedGrant<true>>
  map(options: MapOptions & { writable?: false; offer?: never }): Promise<MappedGrant<false>>
  map(options: MapOptions): Promise<MappedGrant<true> | MappedGrant<false>>
  async map(options: MapOptions): Promise<MappedGrant<true> | MappedGrant<false>> {
    const checked = checkMap(options)
    this.#lifecycle.mustBeOpen()
    const { line } = this.#context
    const { request } = checked
    const port = request.status && (await this.#bindOffered(checked))
    if (port) request.status!.port = port.port
    let answer: MapAnswer
    try {
      answer = await line.call('map', ...encodeMap(request))
      // Closed meanwhile: the worker unmaps what it has mapped, and this must not come to life after that.
      this.#lifecycle.mustBeOpen()
    } catch (error) {
      await port?.release()
      throw error
    }
    const { names, writable } = request
    const [id, buffer, status] = answer
    const mapped = new MappedWork({ id, buffer, status, names, writable, port }, this.#context)
    if (checked.signal?.aborted) {
      await mapped.unmap()
      throw checked.signal.reason
    }
    return writable ? new MappedGrant(mapped, true as const) : new MappedGrant(mapped, false as const)
  }

  async #bindOffered({ events, port, domid, request }: CheckedMap): Promise<OfferedPort | undefined> {
    if (!events || port === undefined || !request.status) return undefined
    return this.#ports.take(events, domid, port)
  }

  /**
   * Grant copy: Xen copies between grants of other domains and memory of this process, without mapping. Memory in a
   * SharedArrayBuffer is copied from and to directly; other memory is read before this returns, or written before it
   * settles (an ArrayBuffer that has been detached or shrunk by then is left alone).
   *
   * @returns how each segment went: one that fails does not keep the others from being copied
   */
  async copy(segments: readonly CopyOptions[]): Promise<CopyResult[]> {
    const copy = checkSegments(segments)
    this.#lifecycle.mustBeOpen()
    if (copy.segments.length === 0) return []
    const statuses = await this.#context.line.call('copy', encodeSegments(copy.segments))
    copy.deliver(statuses)
    return copyResults(statuses)
  }

  /** Unmaps everything and closes the device. Waits for fills and runs; with force it aborts them. */
  async close(options?: CloseOptions): Promise<void> {
    const force = checkClose(options)
    const again = this.#lifecycle.closing
    const closed = this.#lifecycle.close(() => this.#close(force))
    if (again && force) for (const grant of this.#context.mapped) grant.unmap({ force }).catch(() => {})
    await closed
  }

  async #close(force: boolean): Promise<void> {
    const { line, fillers, mapped } = this.#context
    // What fails here goes with the device.
    await Promise.allSettled([...mapped].map((grant) => grant.unmap({ force })))
    await fillers.close()
    await line.close()
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    return inLine('GrantMapper', { mapped: this.#context.mapped.size, state: this.#lifecycle.state }, options)
  }

  /** For `await using`: {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #afterEnd(died: GrantError | undefined): void {
    const mapped = [...this.#context.mapped]
    const orphans = mapped.flatMap((grant) => grant.orphans)
    for (const grant of mapped) grant.lost(died ?? closedError('the grant mapper'))
    if (!died) {
      this.emit('close')
      return
    }
    this.#lifecycle.lose(died)
    void cleanUp(orphans).then(
      () => announceEnd(this, died),
      (error) => announceEnd(this, error),
    )
  }
}
