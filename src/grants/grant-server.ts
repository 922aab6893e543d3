import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { checkBoolean, checkOptions } from '../arguments.js'
import { DeviceThread } from '../client/device-thread.js'
import { type CloseOptions, GrantClient, type ShareOptions } from '../client/grant-client.js'
import type { ClientStats } from '../client/stats.js'
import { assertSupported } from '../client/support.js'
import { closedError, type GrantError } from '../errors.js'
import { fromEnvelope } from '../protocol/envelope.js'
import type { DeviceControl, DeviceNotice } from '../protocol/messages.js'
import type { Grant } from './grant.js'
import { checkServerOptions, type ServerOptions } from './server-options.js'

export interface ServerStats extends ClientStats {
  /** The budget over all grants, in pages. */
  maxPages: number
}

interface GrantServerEvents {
  /** The device is closed, by close() or because its worker died. */
  close: []
  /** Something failed that no caller waits for, or the device worker died. */
  error: [Error]
}

/**
 * Owner of one open grant device, served by a worker thread of its own. Whatever it granted is taken back when it
 * closes, and by the kernel when the process ends.
 *
 * An idle server does not keep the process alive. Like any EventEmitter it throws an 'error' nobody listens for.
 */
export class GrantServer extends EventEmitter<GrantServerEvents> {
  readonly #thread: DeviceThread
  readonly #maxPages: number
  #client: GrantClient | undefined
  #closing: Promise<void> | undefined

  private constructor(thread: DeviceThread, maxPages: number) {
    super()
    this.#thread = thread
    this.#maxPages = maxPages
    thread.on('message', (message) => {
      const notice = message as DeviceNotice
      if (notice.type === 'error') this.emit('error', fromEnvelope(notice.error))
    })
    thread.on('end', (died) => this.#afterEnd(died))
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
    const { descriptor, budget, scrub, fillers, signal } = checked
    const data = { descriptor, server: randomUUID(), budget, scrub }
    const { thread, facts } = await DeviceThread.start('device.js', data, signal)
    const server = new GrantServer(thread, facts.maxPages!)
    server.#client = await GrantClient.connect(server.connect(), { fillers })
    return server
  }

  /** See {@link GrantClient.share}. */
  async share(options: ShareOptions): Promise<Grant> {
    return this.#open().share(options)
  }

  /**
   * A port for another thread of this process: transfer it there and give it to `GrantClient.connect()`. What that
   * thread shares goes back when it closes its client or exits.
   */
  connect(): MessagePort {
    if (this.#closing || this.#thread.died) throw this.#thread.died ?? closedError()
    const { port1, port2 } = new MessageChannel()
    this.#thread.post({ type: 'connect', port: port2 } satisfies DeviceControl, [port2])
    return port1
  }

  async stats(): Promise<ServerStats> {
    return { ...(await this.#open().stats()), maxPages: this.#maxPages }
  }

  /**
   * Takes back everything and closes the device. Waits for fills, runs and the grants of other threads, which are told
   * to finish; with `force` it waits for nobody and makes their memory harmless. Calling it again waits for the same
   * end, or forces it.
   */
  async close(options?: CloseOptions): Promise<void> {
    const { force = false } = checkOptions<CloseOptions>('options', options, ['force'])
    checkBoolean('options.force', force)
    if (this.#thread.died) return
    const again = this.#closing !== undefined
    this.#closing ??= this.#close(force)
    if (again && force) {
      void this.#client?.close({ force })
      this.#thread.post({ type: 'close', force } satisfies DeviceControl)
    }
    await this.#closing
  }

  async #close(force: boolean): Promise<void> {
    const client = this.#client?.close({ force })
    // Told at once, so that other threads finish at the same time as this one.
    const ended = this.#thread.close({ type: 'close', force } satisfies DeviceControl)
    await client
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #open(): GrantClient {
    if (this.#thread.died) throw this.#thread.died
    if (this.#closing || !this.#client) throw closedError()
    return this.#client
  }

  #afterEnd(died: GrantError | undefined): void {
    if (died) this.#client?.lost(died)
    this.emit('close')
    if (died) this.emit('error', died)
  }
}
