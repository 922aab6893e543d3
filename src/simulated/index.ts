import { constants } from 'node:os'
import { resolve } from 'node:path'
import process from 'node:process'
import type { Worker } from 'node:worker_threads'
import { checkInteger, checkString, invalidArgValue } from '../arguments.js'
import type { DeviceDescriptor } from '../drivers/descriptor.js'
import { eventDescriptor } from '../drivers/evtchn/event-device.js'
import { deviceDescriptor } from '../drivers/gntalloc/grant-device.js'
import { mapDescriptor } from '../drivers/gntdev/map-device.js'
import { type StoreDescriptor, storeDescriptor } from '../drivers/xenbus/store-device.js'
import { GrantError } from '../errors.js'
import { assertNode } from '../native/runtime.js'
import { PeerMemory } from './devices/peer-memory.js'
import { type DomainContext, SimulatedDomain } from './domain.js'
import { makeDirectory, removeDirectory } from './host/directory.js'
import { checkCreateOptions, MAX_DOMID, type SimulatedXenOptions } from './options.js'
import { startThread } from './spawn.js'
import { Connection } from './wire/connection.js'
import type { Counters } from './wire/counters.js'
import { type FaultableCall, faultableCalls } from './wire/protocol.js'

export type { MappedGrants, PeerMapOptions, SimulatedDomain } from './domain.js'
export type { SimulatedXenOptions } from './options.js'
export type { Counters } from './wire/counters.js'
export type { FaultableCall } from './wire/protocol.js'

/**
 * A Xen for tests and for machines without one: domains whose devices behave like the drivers', in any thread or process of
 * this machine. What it leaves out is listed in docs/simulation.md.
 *
 * It stands for domain 0 itself, as `domain(0)` does: what has no other domain in its name is done in that one.
 *
 * It lives in a thread of the process that created it. An idle one does not keep a process alive.
 */
export class SimulatedXen {
  /** The directory that stands for it: what `attach` takes. */
  readonly path: string
  readonly #context: DomainContext
  readonly #own: SimulatedDomain
  readonly #shutDown: () => Promise<void>
  #closed: Promise<void> | undefined

  private constructor(context: DomainContext, shutDown: () => Promise<void>) {
    this.path = context.path
    this.#context = context
    this.#own = new SimulatedDomain(0, context)
    this.#shutDown = shutDown
  }

  /**
   * @throws TypeError, RangeError
   * @throws GrantError ERR_GRANTS_UNSUPPORTED: not on Linux. EADDRINUSE: `options.path` exists and is not left over from a
   *   process that has ended
   */
  static async create(options: SimulatedXenOptions = {}): Promise<SimulatedXen> {
    const { path: wanted, ...checked } = checkCreateOptions(options)
    requireLinux()
    const path = makeDirectory(wanted)
    let worker: Worker | undefined
    const shutDown = async () => {
      await worker?.terminate()
      removeDirectory(path)
    }
    try {
      worker = await startThread('simulated-xen.js', { ...checked, path })
      return new SimulatedXen(await connectTo(path), shutDown)
    } catch (error) {
      await shutDown()
      throw error
    }
  }

  /**
   * Joins one that another thread or process has created.
   * @throws GrantError ENOENT, ECONNREFUSED: there is none. ERR_GRANTS_UNSUPPORTED
   */
  static async attach(path: string): Promise<SimulatedXen> {
    checkString('path', path)
    requireLinux()
    const absolute = resolve(path)
    return new SimulatedXen(await connectTo(absolute), async () => {})
  }

  /** How the grant device of domain 0 is opened. */
  get [deviceDescriptor](): DeviceDescriptor {
    return this.#own[deviceDescriptor]
  }

  /** How the mapping device of domain 0 is opened. */
  get [mapDescriptor](): DeviceDescriptor {
    return this.#own[mapDescriptor]
  }

  /** How the event channel device of domain 0 is opened. */
  get [eventDescriptor](): DeviceDescriptor {
    return this.#own[eventDescriptor]
  }

  /** How the xenstore of domain 0 is opened. */
  get [storeDescriptor](): StoreDescriptor {
    return this.#own[storeDescriptor]
  }

  /** Of domain 0, see {@link SimulatedDomain.xenstorePath}. */
  get xenstorePath(): string {
    return this.#own.xenstorePath
  }

  /** A domain: one that can do what this one can. Domains need no set-up. */
  domain(domid: number): SimulatedDomain {
    checkInteger('domid', domid, 0, MAX_DOMID)
    return new SimulatedDomain(domid, this.#context)
  }

  /** What is alive in all domains, over all programs. All zero when everybody has cleaned up. */
  counters(): Promise<Counters> {
    return this.#context.connection.request('xen.counters', [])
  }

  /** Of domain 0, see {@link SimulatedDomain.setLimit}. */
  setLimit(limit: number): Promise<void> {
    return this.#own.setLimit(limit)
  }

  /**
   * Makes the next call of this kind, by whatever program, fail before it has done anything. Ordered several times, as
   * many calls fail, in order. Calls that the device does not get to make do not count.
   *
   * @param call with its kind, such as 'gntdev.mmap'
   * @param code name of an errno, such as 'ENOMEM'
   */
  async failNext(call: FaultableCall, code: string): Promise<void> {
    const position = faultableCalls.indexOf(call)
    if (position < 0) throw invalidArgValue('call', `must be one of: ${faultableCalls.join(', ')}`, call)
    const errno = Object.entries(constants.errno).find(([name]) => name === code)?.[1]
    if (errno === undefined) throw invalidArgValue('code', 'must be the name of an errno', code)
    await this.#context.connection.request('xen.failNext', [position, errno])
  }

  /** In domain 0, see {@link SimulatedDomain.bindPort}. */
  bindPort(): Promise<number> {
    return this.#own.bindPort()
  }

  /** Of a port of domain 0, see {@link SimulatedDomain.events}. @throws GrantError EINVAL: no such port */
  events(port: number): Promise<number> {
    return this.#own.events(port)
  }

  /**
   * Does now what each domain's kernel does every `freeInterval`: one round over its deferred pages.
   * @returns how many were freed
   */
  async tick(): Promise<number> {
    return (await this.#context.connection.request('xen.tick', [])).freed
  }

  /**
   * Unmaps what domains of this object have mapped, then disconnects. If this object has created the simulated Xen, it
   * ends for everybody: calls of other programs fail with ECONNRESET. Idempotent.
   */
  close(): Promise<void> {
    this.#closed ??= (async () => {
      await this.#context.memory.close()
      await this.#context.connection.close()
      await this.#shutDown()
    })()
    return this.#closed
  }

  /** For `await using`: {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

async function connectTo(path: string): Promise<DomainContext> {
  const connection = await Connection.open(path)
  try {
    await connection.request('xen.hello', [process.pid])
    return { path, connection, memory: new PeerMemory(path) }
  } catch (error) {
    await connection.close()
    throw error
  }
}

function requireLinux(): void {
  assertNode()
  if (process.platform === 'linux') return
  const what = `The simulated Xen runs on Linux only, this is ${process.platform}`
  throw new GrantError('ERR_GRANTS_UNSUPPORTED', what)
}
