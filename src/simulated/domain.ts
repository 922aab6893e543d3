import { checkBoolean, checkInteger, checkOptions, invalidArgType } from '../arguments.js'
import type { DeviceDescriptor } from '../drivers/descriptor.js'
import { eventDescriptor } from '../drivers/evtchn/event-device.js'
import { mapDescriptor } from '../drivers/gntdev/map-device.js'
import { descriptorsOf } from './devices/descriptors.js'
import type { PeerMemory } from './devices/peer-memory.js'
import type { Connection } from './wire/connection.js'

export interface MapOptions {
  /** Whether this domain wants to write. Only grants that were made writable allow it. Default: false. */
  writable?: boolean
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
  [Symbol.asyncDispose](): Promise<void>
}

/** What a SimulatedXen shares with its domains. */
export interface DomainContext {
  /** Its directory. */
  readonly path: string
  readonly connection: Connection
  readonly memory: PeerMemory
  readonly localDomid: number
}

const MAX_U32 = 0xffff_ffff
const GONE = new Uint8Array(new SharedArrayBuffer(0))

/**
 * Another domain on the simulated Xen, which maps what the local domain has granted to it: with `map`, or as the device of a
 * GrantMapper or EventChannels.
 */
export class SimulatedDomain {
  readonly domid: number
  readonly #context: DomainContext

  /** @internal */
  constructor(domid: number, context: DomainContext) {
    this.domid = domid
    this.#context = context
  }

  /** How this domain's mapping device is opened. */
  get [mapDescriptor](): DeviceDescriptor {
    return descriptorsOf(this.#context.path, this.domid).map
  }

  /** How this domain's event channel device is opened. */
  get [eventDescriptor](): DeviceDescriptor {
    return descriptorsOf(this.#context.path, this.domid).events
  }

  /**
   * Ends the domain, as its toolstack can at any time: what it has mapped is let go without a word, its event channels are
   * closed, and the programs that have its devices open lose the connection. There will be no other of its number.
   */
  async destroy(): Promise<void> {
    await this.#context.connection.request('destroyDomain', [this.domid])
  }

  /**
   * Maps grants, all or none.
   *
   * @param refs grant references; the same one may occur more than once
   * @throws GrantError EINVAL, without saying which: a reference that is not granted (any more), or to another domain, or
   *   read-only while `writable` is asked for; none, or more than 65536. ECONNRESET: the simulated Xen has gone
   */
  async map(refs: ArrayLike<number>, options: MapOptions = {}): Promise<MappedGrants> {
    checkOptions('options', options, ['writable'])
    const { writable = false } = options
    checkBoolean('options.writable', writable)
    const { connection, memory, localDomid } = this.#context
    const pairs = pairsOf(localDomid, refs)
    const { mapping, numbers } = await connection.request('map', [this.domid, Number(writable)], pairs)
    let local: Awaited<ReturnType<PeerMemory['map']>>
    try {
      local = await memory.map(numbers, writable)
    } catch (error) {
      await connection.request('unmap', [mapping])
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
      await connection.request('unmap', [mapping])
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
