import { type InspectOptionsStylized, inspect } from 'node:util'
import { checkOptions, checkSignal, invalidArgType } from './arguments.js'
import type { DeviceDescriptor } from './drivers/descriptor.js'
import { eventDescriptor } from './drivers/evtchn/event-device.js'
import { deviceDescriptor } from './drivers/gntalloc/grant-device.js'
import { mapDescriptor } from './drivers/gntdev/map-device.js'
import { assertSupported } from './drivers/support.js'
import { type StoreDescriptor, storeDescriptor } from './drivers/xenbus/store-device.js'
import { EventChannels } from './events/event-channels.js'
import { GrantServer } from './grants/grant-server.js'
import type { ServerOptions } from './grants/server-options.js'
import { inLine } from './inspect.js'
import { GrantMapper } from './mapping/grant-mapper.js'
import type { MapperOptions } from './mapping/mapper-options.js'
import { type CloseOptions, checkClose } from './threads/close-options.js'
import { type Dependent, dependents } from './threads/dependents.js'
import { Lifecycle } from './threads/lifecycle.js'
import type { StoreStandIn, XenStoreOptions } from './xenstore/store-options.js'
import { XenStore } from './xenstore/xen-store.js'

/** Stands for a domain whose devices are not this machine's: a SimulatedXen, or one of its domains. */
export interface DomainStandIn {
  readonly [deviceDescriptor]: DeviceDescriptor
  readonly [mapDescriptor]: DeviceDescriptor
  readonly [eventDescriptor]: DeviceDescriptor
  /** Without it the domain has no xenstore. */
  readonly [storeDescriptor]?: StoreDescriptor
}

/** Which domain, and with what options its parts are opened. */
export interface XenOptions {
  /** The domain whose devices are opened. Default: the one this machine is. */
  on?: DomainStandIn | undefined
  /** For {@link Xen.grants}. */
  grants?: Omit<ServerOptions, 'device' | 'signal'> | undefined
  /** For {@link Xen.mapper}. */
  mapper?: Omit<MapperOptions, 'device' | 'signal'> | undefined
  /** For {@link Xen.store}. */
  store?: Omit<XenStoreOptions, 'path' | 'signal'> | undefined
  /** Aborts what is being opened, and keeps more from being opened. What is open stays open. */
  signal?: AbortSignal | undefined
}

/** A part, from the first call that wants it until it is closed or lost. */
type Part = XenStore | Emitter

interface Emitter {
  close(options?: CloseOptions): Promise<void>
  once(event: 'close', listener: () => void): unknown
}

/**
 * Everything of one domain: its grants, its mapper, its event channels, its xenstore. Each part is opened when it is first
 * asked for, and opened anew when it is asked for after it has been closed by itself or has been lost. They are closed
 * together.
 *
 * Each part emits its own 'error', as it does when it is opened by itself: listen for it where you ask for the part.
 */
export class Xen {
  readonly #options: XenOptions
  readonly #lifecycle = new Lifecycle("this domain's Xen")
  readonly #parts = new Map<string, Promise<Part>>()
  /** @internal Vchans, which need the parts to close in order. */
  readonly [dependents] = new Set<Dependent>()

  private constructor(options: XenOptions) {
    this.#options = options
  }

  /**
   * Opens nothing yet.
   * @throws GrantError ERR_GRANTS_UNSUPPORTED off Linux; TypeError for bad options; the signal's reason
   */
  static async open(options?: XenOptions): Promise<Xen> {
    const checked = checkOptions<XenOptions>('options', options, [
      'on',
      'grants',
      'mapper',
      'store',
      'signal',
    ])
    const { on, signal } = checked
    if (on !== undefined && !isDomain(on))
      throw invalidArgType('options.on', 'a SimulatedXen or one of its domains', on)
    checkSignal('options.signal', signal)
    assertSupported()
    signal?.throwIfAborted()
    return new Xen({ ...checked })
  }

  /** @throws what `GrantServer.open` throws; GrantError ERR_GRANTS_CLOSED */
  grants(): Promise<GrantServer> {
    return this.#part('grants', (common) => GrantServer.open({ ...this.#options.grants, ...common }))
  }

  /** @throws what `GrantMapper.open` throws; GrantError ERR_GRANTS_CLOSED */
  mapper(): Promise<GrantMapper> {
    return this.#part('mapper', (common) => GrantMapper.open({ ...this.#options.mapper, ...common }))
  }

  /** @throws what `EventChannels.open` throws; GrantError ERR_GRANTS_CLOSED */
  events(): Promise<EventChannels> {
    return this.#part('events', (common) => EventChannels.open(common))
  }

  /** @throws what `XenStore.open` throws; TypeError when `on` has no xenstore; GrantError ERR_GRANTS_CLOSED */
  store(): Promise<XenStore> {
    return this.#part('store', ({ device, signal }) =>
      XenStore.open({
        ...this.#options.store,
        ...(signal && { signal }),
        ...(device && { path: device as DomainStandIn & StoreStandIn }),
      }),
    )
  }

  async #part<T extends Part>(
    name: string,
    open: (common: { device?: DomainStandIn; signal?: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    this.#lifecycle.mustBeOpen()
    const { on, signal } = this.#options
    let part = this.#parts.get(name) as Promise<T> | undefined
    if (!part) {
      part = open({ ...(on && { device: on }), ...(signal && { signal }) })
      this.#parts.set(name, part)
      const forget = (): void => {
        if (this.#parts.get(name) === part) this.#parts.delete(name)
      }
      part.then((opened) => whenOver(opened, forget), forget)
    }
    const opened = await part
    // Closed while it was being opened: what close() has ended must not be handed out.
    this.#lifecycle.mustBeOpen()
    return opened
  }

  /**
   * Closes what has been opened: vchans, then grants and mapper, which use event channels.
   * @param options as for each of them
   * @throws what closing one of them threw, when all are closed
   */
  close(options?: CloseOptions): Promise<void> {
    const force = checkClose(options)
    const again = this.#lifecycle.closing
    const closed = this.#lifecycle.close(() => this.#close(force))
    if (again && force) for (const name of ['grants', 'mapper']) this.#closePart(name, force).catch(() => {})
    return closed
  }

  async #close(force: boolean): Promise<void> {
    await Promise.allSettled([...this[dependents]].map((dependent) => dependent.close()))
    const first = await Promise.allSettled([
      this.#closePart('grants', force),
      this.#closePart('mapper', force),
      this.#closePart('store', force),
    ])
    const last = await Promise.allSettled([this.#closePart('events', force)])
    for (const one of [...first, ...last]) if (one.status === 'rejected') throw one.reason
  }

  async #closePart(name: string, force: boolean): Promise<void> {
    // One that could not be opened has nothing to close.
    const part = await this.#parts.get(name)?.catch(() => undefined)
    if (part instanceof EventChannels || part instanceof XenStore) await part.close()
    else await part?.close({ force })
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    return inLine('Xen', { open: [...this.#parts.keys()], state: this.#lifecycle.state }, options)
  }

  /** For `await using`: {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function whenOver(part: Part, forget: () => void): void {
  if (part instanceof XenStore) void part.closed.then(forget)
  else part.once('close', forget)
}

function isDomain(value: unknown): value is DomainStandIn {
  if (typeof value !== 'object' || value === null) return false
  const stand = value as Partial<DomainStandIn>
  return Boolean(stand[deviceDescriptor] && stand[mapDescriptor] && stand[eventDescriptor])
}
