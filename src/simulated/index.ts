import { constants } from 'node:os'
import { resolve } from 'node:path'
import type { Worker } from 'node:worker_threads'
import { checkInteger, checkString, invalidArgValue } from '../arguments.js'
import type { DeviceDescriptor } from '../drivers/descriptor.js'
import { eventDescriptor } from '../drivers/evtchn/event-device.js'
import { deviceDescriptor } from '../drivers/gntalloc/grant-device.js'
import { mapDescriptor } from '../drivers/gntdev/map-device.js'
import { GrantError } from '../errors.js'
import { descriptorsOf } from './devices/descriptors.js'
import { PeerMemory } from './devices/peer-memory.js'
import { type DomainContext, SimulatedDomain } from './domain.js'
import { makeDirectory, removeDirectory } from './host/directory.js'
import { checkCreateOptions, MAX_DOMID, MAX_LIMIT, MIN_LIMIT, type SimulatedXenOptions } from './options.js'
import { startThread } from './spawn.js'
import { Connection } from './wire/connection.js'
import type { Counters } from './wire/counters.js'
import { type FaultableCall, faultableCalls } from './wire/protocol.js'

export type { MapOptions, MappedGrants, SimulatedDomain } from './domain.js'
export type { SimulatedXenOptions } from './options.js'
export type { Counters } from './wire/counters.js'
export type { FaultableCall } from './wire/protocol.js'

/**
 * A Xen for tests and for machines without one: a grant device that behaves like the driver's, and other domains that map
 * what it grants, in any thread or process of this machine. What it leaves out is listed in docs/simulation.md.
 *
 * It lives in a thread of the process that created it. An idle one does not keep a process alive.
 */
export class SimulatedXen {
  /** The directory that stands for it: what `attach` takes. */
  readonly path: string
  readonly #context: DomainContext
  readonly #shutDown: () => Promise<void>
  #closed: Promise<void> | undefined

  private constructor(path: string, machine: DomainContext, shutDown: () => Promise<void>) {
    this.path = path
    this.#context = machine
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
      return new SimulatedXen(path, await connectTo(path), shutDown)
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
    return new SimulatedXen(absolute, await connectTo(absolute), async () => {})
  }

  /** How a grant server opens the device of this Xen. */
  get [deviceDescriptor](): DeviceDescriptor {
    return {
      module: new URL('./devices/simulated-gntalloc.js', import.meta.url).href,
      options: { path: this.path },
      path: this.path,
      simulated: true,
    }
  }

  /** How the mapping device of the local domain is opened; that of another is `domain(n)`'s. */
  get [mapDescriptor](): DeviceDescriptor {
    return descriptorsOf(this.path).map
  }

  /** How the event channel device of the local domain is opened; that of another is `domain(n)`'s. */
  get [eventDescriptor](): DeviceDescriptor {
    return descriptorsOf(this.path).events
  }

  /** Another domain, which can map what was granted to `domid`. Domains need no set-up. */
  domain(domid: number): SimulatedDomain {
    checkInteger('domid', domid, 0, MAX_DOMID)
    return new SimulatedDomain(domid, this.#context)
  }

  /** What is alive in the simulated kernel, over all programs. All zero when everybody has cleaned up. */
  counters(): Promise<Counters> {
    return this.#context.connection.request('counters', [])
  }

  /** Sets the driver's limit, as root can at run time. Below what is in use it only stops new allocations. */
  async setLimit(limit: number): Promise<void> {
    checkInteger('limit', limit, MIN_LIMIT, MAX_LIMIT)
    await this.#context.connection.request('setLimit', [limit >>> 0])
  }

  /**
   * Makes the next call of this kind, by whatever program, fail before it has done anything. Ordered several times, as
   * many calls fail, in order. Calls that the device does not get to make do not count.
   *
   * @param code name of an errno, such as 'ENOMEM'
   */
  async failNext(call: FaultableCall, code: string): Promise<void> {
    const position = faultableCalls.indexOf(call)
    if (position < 0) throw invalidArgValue('call', `must be one of: ${faultableCalls.join(', ')}`, call)
    const errno = Object.entries(constants.errno).find(([name]) => name === code)?.[1]
    if (errno === undefined) throw invalidArgValue('code', 'must be the name of an errno', code)
    await this.#context.connection.request('failNext', [position, errno])
  }

  /** Binds an event channel port in the granting domain that no program has: for tests of unmap notifications. */
  async bindPort(): Promise<number> {
    return (await this.#context.connection.request('bindPort', [])).port
  }

  /** Events sent so far through a port of the granting domain. @throws GrantError EINVAL: no such port */
  async events(port: number): Promise<number> {
    checkInteger('port', port, 0, 0xffff_ffff)
    return (await this.#context.connection.request('events', [port])).events
  }

  /** Does now what the kernel does every `freeInterval`: one round over the deferred pages. @returns how many were freed */
  async tick(): Promise<number> {
    return (await this.#context.connection.request('tick', [])).freed
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

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

async function connectTo(path: string): Promise<DomainContext> {
  const connection = await Connection.open(path)
  try {
    const { localDomid } = await connection.request('hello', [process.pid])
    return { path, connection, localDomid, memory: new PeerMemory(path) }
  } catch (error) {
    await connection.close()
    throw error
  }
}

function requireLinux(): void {
  if (process.platform === 'linux') return
  const what = `The simulated Xen runs on Linux only, this is ${process.platform}`
  throw new GrantError('ERR_GRANTS_UNSUPPORTED', what)
}
