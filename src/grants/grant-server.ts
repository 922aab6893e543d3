import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { performance } from 'node:perf_hooks'
import { type InspectOptionsStylized, inspect } from 'node:util'
import { type MessagePort, threadId } from 'node:worker_threads'
import { publish } from '../diagnostics.js'
import { assertSupported } from '../drivers/support.js'
import { diedError, type GrantError } from '../errors.js'
import { inLine } from '../inspect.js'
import { type CloseOptions, checkClose } from '../threads/close-options.js'
import { DeviceThread } from '../threads/device-thread.js'
import { fromEnvelope } from '../threads/envelope.js'
import { announceEnd, Lifecycle } from '../threads/lifecycle.js'
import { acceptOrphans } from '../threads/orphans.js'
import { ClientCore } from './client-core.js'
import type { Grant } from './grant.js'
import type { DeviceControl, DeviceNotice } from './grant-messages.js'
import type { GrantHandle } from './handle.js'
import type { GrantPool } from './pool/grant-pool.js'
import type { GrantPoolHandle, PoolOptions } from './pool/pool-options.js'
import { type CheckedServerOptions, checkServerOptions, type ServerOptions } from './server-options.js'
import { openPort } from './session-port.js'
import type { ShareOptions } from './share-options.js'
import type { ClientStats } from './stats.js'

/** Numbers of the server, and of the use that the thread which opened it makes of it. */
export type ServerStats = ClientStats

interface GrantServerEvents {
  /** The device is closed for good, by close() or because its worker died and is not restarted. */
  close: []
  /** The device worker died, or something failed that no caller waits for. */
  error: [Error]
}

/** A device worker and this thread's line to it. */
interface Session {
  thread: DeviceThread
  client: ClientCore
  ended: Promise<void>
}

/** A worker that dies this often within this time is not started again. */
const RESTARTS = { count: 5, milliseconds: 10_000 }

/**
 * Owner of one open grant device, served by a worker thread of its own. Whatever it granted is taken back when it
 * closes, and by the kernel when the process ends.
 *
 * When the device worker dies, every pending call rejects with ERR_GRANTS_WORKER_DIED, views become empty, the pages
 * are back with the driver, and 'error' is emitted once. A new worker is then started, unless `restart` is false. Ports
 * given out by {@link connect} die with their worker.
 *
 * An idle server does not keep the process alive. Like any EventEmitter it throws an 'error' that has no listener.
 */
export class GrantServer extends EventEmitter<GrantServerEvents> {
  readonly #options: CheckedServerOptions
  #session: Promise<Session>
  #current: Session | undefined
  readonly #lifecycle = new Lifecycle()
  readonly #deaths: number[] = []

  private constructor(options: CheckedServerOptions) {
    super()
    this.#options = options
    this.#session = this.#start(options.signal)
  }

  /**
   * Opens the device in a worker of its own.
   *
   * @throws GrantError ERR_GRANTS_UNSUPPORTED off Linux; ENOENT, EACCES, EISDIR, ENODEV, ENOTTY when the path is not a
   * grant device that may be opened; TypeError or RangeError for bad options; the signal's reason
   */
  static async open(options?: ServerOptions): Promise<GrantServer> {
    const checked = checkServerOptions(options)
    assertSupported()
    acceptOrphans()
    const server = new GrantServer(checked)
    await server.#session
    return server
  }

  async #start(signal?: AbortSignal): Promise<Session> {
    const { descriptor, budget, scrub, fillers } = this.#options
    const data = { descriptor, server: randomUUID(), serverThread: threadId, budget, scrub }
    const thread = await DeviceThread.start('device.js', data, signal)
    thread.on('message', (message) => {
      const notice = message as DeviceNotice
      if (notice.type === 'error') this.#report(fromEnvelope(notice.error))
    })
    const client = await ClientCore.connect(connectTo(thread), fillers, undefined)
    const ended = new Promise<void>((resolve) => {
      thread.once('end', (died) => {
        resolve()
        this.#afterEnd(client, died)
      })
    })
    this.#current = { thread, client, ended }
    return this.#current
  }

  /** See {@link GrantClient.share}. */
  share(options: ShareOptions): Promise<Grant> {
    // The hot path: without a promise more than it needs.
    const client = this.#current?.client
    if (client && !client.lost && !this.#lifecycle.closing) return client.share(options)
    return this.#client().then((next) => next.share(options))
  }

  /** See {@link GrantClient.pool}. */
  async pool(options: PoolOptions | GrantPoolHandle): Promise<GrantPool> {
    return (await this.#client()).pool(options)
  }

  /** See {@link GrantClient.attach}. */
  async attach(handle: GrantHandle): Promise<Grant> {
    return (await this.#client()).attach(handle)
  }

  /**
   * A port for another thread of this process: transfer it there and give it to `GrantClient.connect()`, once. What that
   * thread shares goes back when it closes its client or exits. A port that no client has claimed holds nothing up: closing
   * the server closes it.
   */
  connect(): MessagePort {
    this.#lifecycle.mustBeOpen()
    if (!this.#current) throw diedError()
    return connectTo(this.#current.thread)
  }

  /** What is alive, waiting and done. @throws GrantError ERR_GRANTS_CLOSED, ERR_GRANTS_WORKER_DIED */
  async stats(): Promise<ServerStats> {
    return (await this.#client()).stats()
  }

  /**
   * Takes back everything and closes the device. Waits for fills, runs and the grants of other threads, which are told
   * to finish; with `force` it waits for no thread and makes their memory harmless. Calling it again waits for the same
   * end, or forces it.
   */
  async close(options?: CloseOptions): Promise<void> {
    const force = checkClose(options)
    const again = this.#lifecycle.closing
    const closed = this.#lifecycle.close(() => this.#close(force))
    if (again && force && this.#current) {
      void this.#current.client.close(force)
      this.#current.thread.post({ type: 'close', force } satisfies DeviceControl)
    }
    await closed
  }

  async #close(force: boolean): Promise<void> {
    // One that is just being started is closed as well; one that could not be started has nothing to close.
    const session = await this.#session.catch(() => undefined)
    if (!session) return
    const client = session.client.close(force)
    // Told at once, so that other threads finish at the same time as this one.
    const ended = session.thread.close({ type: 'close', force } satisfies DeviceControl)
    await client
    await ended
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    return inLine(
      'GrantServer',
      { device: this.#options.descriptor.path, state: this.#lifecycle.state },
      options,
    )
  }

  /** For `await using`: {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #client(): Promise<ClientCore> {
    for (;;) {
      this.#lifecycle.mustBeOpen()
      const { client, ended } = await this.#session
      if (!client.lost) return client
      // The line is dead already, its worker is about to be: the next one serves.
      await ended
    }
  }

  #afterEnd(client: ClientCore, died: GrantError | undefined): void {
    this.#current = undefined
    if (!died) {
      this.emit('close')
      return
    }
    const cleaned = client.lose(died)
    if (!this.#lifecycle.closing && this.#options.restart && !this.#tooOften()) {
      this.#session = cleaned.then(() => this.#start())
      this.#session.catch((error) => this.#giveUp(error))
      void cleaned.then(() => this.#report(died))
      return
    }
    this.#lifecycle.lose(died)
    void cleaned.then(() => this.#giveUp(died))
  }

  #giveUp(error: Error): void {
    this.#lifecycle.lose(error)
    publish('xen-grants:error', () => ({ operation: 'device worker', error }))
    announceEnd(this, error)
  }

  #report(error: Error): void {
    publish('xen-grants:error', () => ({ operation: 'device worker', error }))
    // Not in a promise: what an emitter without a listener throws is an uncaught exception and not a rejection.
    queueMicrotask(() => this.emit('error', error))
  }

  #tooOften(): boolean {
    const now = performance.now()
    this.#deaths.push(now)
    if (this.#deaths.length > RESTARTS.count) this.#deaths.shift()
    return this.#deaths.length === RESTARTS.count && now - this.#deaths[0]! < RESTARTS.milliseconds
  }
}

function connectTo(thread: DeviceThread): MessagePort {
  return openPort((port) => thread.post({ type: 'connect', port } satisfies DeviceControl, [port]))
}
