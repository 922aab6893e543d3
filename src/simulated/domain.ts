import { checkBoolean, checkInteger, checkOptions, invalidArgType } from '../arguments.js'
import type { DeviceDescriptor } from '../drivers/descriptor.js'
import { eventDescriptor } from '../drivers/evtchn/event-device.js'
import { deviceDescriptor } from '../drivers/gntalloc/grant-device.js'
import { mapDescriptor } from '../drivers/gntdev/map-device.js'
import { type StoreDescriptor, storeDescriptor } from '../drivers/xenbus/store-device.js'
import { type DomainDescriptors, descriptorsOf } from './devices/descriptors.js'
import type { PeerMemory } from './devices/peer-memory.js'
import { openStoreSocket } from './devices/store-socket.js'
import { MAX_DOMID, MAX_LIMIT, MIN_LIMIT } from './options.js'
import type { Connection } from './wire/connection.js'
import type { Counters } from './wire/counters.js'

/** How a domain maps, without a device. */
export interface PeerMapOptions {
  /** Whether this domain wants to write. Only grants that were made writable allow it. Default: false. */
  writable?: boolean | undefined
  /** The domain that has granted the references. Default: 0. */
  granter?: number | undefined
}

/** Grants mapped by a peer. */
export interface MappedGrants {
  /**
   * The pages, in the order of the references; empty once unmapped, and a view kept from before reads zeros then. Without
   * `writable`, what is written here goes to a private copy of its page and the granter never sees it; that page then no
   * longer follows the granter either.
   */
  readonly bytes: Uint8Array<SharedArrayBuffer>
  /** Idempotent. Pages that the granter has given back meanwhile are free after the kernel's next round over them. */
  unmap(): Promise<void>
  /** For `await using`: {@link unmap}. */
  [Symbol.asyncDispose](): Promise<void>
}

/** What a SimulatedXen shares with its domains. */
export interface DomainContext {
  /** Its directory. */
  readonly path: string
  readonly connection: Connection
  readonly memory: PeerMemory
}

const MAX_U32 = 0xffff_ffff
const GONE = new Uint8Array(new SharedArrayBuffer(0))

/**
 * A domain on the simulated Xen. It is a `device` for GrantServer, GrantMapper and EventChannels and a `path` for XenStore,
 * which then work as this domain: it grants through a driver with a limit and a grant table of its own, maps what other
 * domains have granted to it, and has ports of its own and a place in the xenstore. `map` is the short way to map, without a device.
 */
export class SimulatedDomain {
  readonly domid: number
  readonly #context: DomainContext
  readonly #descriptors: DomainDescriptors
  #store: string | undefined

  /** @internal */
  constructor(domid: number, context: DomainContext) {
    this.domid = domid
    this.#context = context
    this.#descriptors = descriptorsOf({ path: context.path, domid })
  }

  /** How this domain's grant device is opened. */
  get [deviceDescriptor](): DeviceDescriptor {
    return this.#descriptors.grants
  }

  /** How this domain's mapping device is opened. */
  get [mapDescriptor](): DeviceDescriptor {
    return this.#descriptors.maps
  }

  /** How this domain's event channel device is opened. */
  get [eventDescriptor](): DeviceDescriptor {
    return this.#descriptors.events
  }

  /** How this domain's xenstore is opened: its socket is made when it is. */
  get [storeDescriptor](): StoreDescriptor {
    const domain = this
    return {
      get socket() {
        return domain.xenstorePath
      },
    }
  }

  /**
   * The Unix socket of the simulated xenstored for programs of this domain, as XENSTORED_PATH names it: they have the
   * rights and quotas of the domain. Those of domain 0 may do everything.
   *
   * It is made when it is first asked for, which blocks the thread until it is there. That is a first use of the domain:
   * see docs/simulation.md for what is in the store then. Connecting to that of a domain that has been destroyed fails.
   * @throws GrantError ETIMEDOUT: the simulated Xen does not answer
   */
  get xenstorePath(): string {
    this.#store ??= openStoreSocket(this.#context.path, this.#context.connection, this.domid)
    return this.#store
  }

  /**
   * This domain's /dev/xen/xenbus, a `path` for XenStore: what a real guest has in place of a socket. It has
   * the rules of the Linux kernel; see docs/simulation.md.
   */
  get xenbus(): { readonly [storeDescriptor]: StoreDescriptor } {
    return { [storeDescriptor]: this.#descriptors.store }
  }

  /**
   * What is alive in this domain: of `foreignMappings` and `maps` those that it has made, of `sessions` those with a device
   * of it.
   */
  counters(): Promise<Counters> {
    return this.#context.connection.request('domain.counters', [this.domid])
  }

  /**
   * Sets the limit of this domain's driver, as its root can at run time. Below what is in use it only stops new
   * allocations.
   */
  async setLimit(limit: number): Promise<void> {
    checkInteger('limit', limit, MIN_LIMIT, MAX_LIMIT)
    await this.#context.connection.request('domain.setLimit', [this.domid, limit >>> 0])
  }

  /** Binds an event channel port in this domain that no program has: for tests of unmap notifications. */
  async bindPort(): Promise<number> {
    return (await this.#context.connection.request('domain.bindPort', [this.domid])).port
  }

  /** Events sent so far through a port of this domain. @throws GrantError EINVAL: no such port */
  async events(port: number): Promise<number> {
    checkInteger('port', port, 0, MAX_U32)
    return (await this.#context.connection.request('domain.events', [this.domid, port])).events
  }

  /**
   * Ends the domain, as its toolstack can at any time. The programs that have its devices open lose the connection; no
   * notification of theirs is carried out. What it has mapped is let go without a word, its event channels are closed. What
   * it has granted can no longer be mapped, and stays for those who have mapped it until they unmap. Its folder in the
   * xenstore and what it owns there are removed, and `@releaseDomain` fires. There will be no other of its number. Idempotent.
   * @throws GrantError EINVAL: domain 0 cannot be destroyed
   */
  async destroy(): Promise<void> {
    await this.#context.connection.request('domain.destroy', [this.domid])
  }

  /**
   * Maps grants, all or none.
   *
   * @param refs grant references; the same one may occur more than once
   * @throws GrantError EINVAL, without saying which: a reference that is not granted (any more), or to another domain, or
   *   read-only while `writable` is asked for; none, or more than 65536. ESRCH: this domain has been destroyed. ECONNRESET:
   *   the simulated Xen has gone
   */
  async map(refs: ArrayLike<number>, options: PeerMapOptions = {}): Promise<MappedGrants> {
    checkOptions('options', options, ['writable', 'granter'])
    const { writable = false, granter = 0 } = options
    checkBoolean('options.writable', writable)
    checkInteger('options.granter', granter, 0, MAX_DOMID)
    const { connection, memory } = this.#context
    const pairs = pairsOf(granter, refs)
    const { mapping, numbers } = await connection.request('domain.map', [this.domid, Number(writable)], pairs)
    let local: Awaited<ReturnType<PeerMemory['map']>>
    try {
      local = await memory.map(numbers, writable)
    } catch (error) {
      await connection.request('domain.unmap', [mapping])
      throw error
    }
    const bytes = new Uint8Array(local.buffer, 0, local.buffer.byteLength)
    let unmapped: Promise<void> | undefined
    const unmap = () => {
      // The close of the whole SimulatedXen unmaps everything, and tells the host too.
      unmapped ??= memory.closed ? Promise.resolve() : release()
      return unmapped
    }
    const release = async () => {
      await memory.unmap(local.id)
      await connection.request('domain.unmap', [mapping])
    }
    return {
      get bytes() {
        return unmapped || memory.closed ? GONE : bytes
      },
      unmap,
      [Symbol.asyncDispose]: unmap,
    }
  }
}

function pairsOf(granter: number, refs: ArrayLike<number>): Uint32Array {
  if (typeof refs !== 'object' || refs === null || !Number.isInteger(refs.length))
    throw invalidArgType('refs', 'an array of numbers', refs)
  const pairs = new Uint32Array(refs.length * 2)
  for (let position = 0; position < refs.length; position++) {
    checkInteger(`refs[${position}]`, refs[position], 0, MAX_U32)
    pairs[position * 2] = granter
    pairs[position * 2 + 1] = refs[position]!
  }
  return pairs
}
