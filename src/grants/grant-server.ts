import { randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { untilAborted } from '../abort.js'
import { createLedgerBuffer } from '../actor/ledger-buffer.js'
import { checkBoolean, checkOptions } from '../arguments.js'
import { type CloseOptions, GrantClient, type ShareOptions } from '../client/grant-client.js'
import type { ClientStats } from '../client/stats.js'
import { assertSupported } from '../client/support.js'
import { closedError, diedError, type GrantError } from '../errors.js'
import { gateOfThisThread } from '../memory/native-gate.js'
import { fromEnvelope } from '../protocol/envelope.js'
import type { DeviceControl, DeviceNotice, DeviceWorkerData } from '../protocol/messages.js'
import type { Grant } from './grant.js'
import { type CheckedServerOptions, checkServerOptions, type ServerOptions } from './server-options.js'

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
  readonly #worker: Worker
  readonly #ledger: SharedArrayBuffer
  readonly #maxPages: number
  #client: GrantClient | undefined
  #closing: Promise<void> | undefined
  #died: GrantError | undefined

  private constructor(worker: Worker, ledger: SharedArrayBuffer, maxPages: number) {
    super()
    this.#worker = worker
    this.#ledger = ledger
    this.#maxPages = maxPages
    worker.on('message', (notice: DeviceNotice) => {
      if (notice.type === 'error') this.emit('error', fromEnvelope(notice.error))
    })
    worker.on('error', (cause) => {
      this.#died = diedError(cause)
    })
    worker.on('exit', () => void this.#afterExit())
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
    const ledger = createLedgerBuffer()
    const { worker, maxPages } = await startWorker(checked, ledger)
    const server = new GrantServer(worker, ledger, maxPages)
    worker.unref()
    server.#client = await GrantClient.connect(server.connect(), { fillers: checked.fillers })
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
    if (this.#closing || this.#died) throw this.#died ?? closedError()
    const { port1, port2 } = new MessageChannel()
    this.#worker.postMessage({ type: 'connect', port: port2 } satisfies DeviceControl, [port2])
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
    if (this.#died) return
    const again = this.#closing !== undefined
    this.#closing ??= this.#close(force)
    if (again && force) {
      void this.#client?.close({ force })
      this.#worker.postMessage({ type: 'close', force } satisfies DeviceControl)
    }
    await this.#closing
  }

  async #close(force: boolean): Promise<void> {
    const exited = once(this.#worker, 'exit')
    this.#worker.ref()
    const client = this.#client?.close({ force })
    // Told at once, so that other threads finish at the same time as this one.
    this.#worker.postMessage({ type: 'close', force } satisfies DeviceControl)
    await client
    await exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #open(): GrantClient {
    if (this.#died) throw this.#died
    if (this.#closing || !this.#client) throw closedError()
    return this.#client
  }

  async #afterExit(): Promise<void> {
    if (this.#closing && !this.#died) {
      this.emit('close')
      return
    }
    this.#died ??= diedError()
    // The fd went with the worker, the mappings did not: without them the driver frees every page.
    const { neutralise } = await import('../actor/ledger.js')
    neutralise(this.#ledger)
    this.#client?.lost(this.#died)
    this.emit('close')
    this.emit('error', this.#died)
  }
}

async function startWorker(
  { descriptor, budget, scrub, signal }: CheckedServerOptions,
  ledger: SharedArrayBuffer,
): Promise<{ worker: Worker; maxPages: number }> {
  const gate = gateOfThisThread()
  const workerData: DeviceWorkerData = { descriptor, server: randomUUID(), budget, scrub, ledger, gate }
  const worker = new Worker(new URL('../../workers/device.js', import.meta.url), {
    workerData,
    name: 'xen-grants device',
    // An inherited --input-type would keep it from starting.
    execArgv: [],
  })
  const first = firstNotice(worker)
  try {
    const notice = await untilAborted(first, signal)
    if (notice.type === 'ready') return { worker, maxPages: notice.maxPages }
    throw notice.type === 'failed'
      ? fromEnvelope(notice.error)
      : new Error(`unexpected notice ${notice.type}`)
  } catch (error) {
    // Not before it has reported: a thread must not be ended while it loads native code.
    first.then(
      () => worker.terminate(),
      () => {},
    )
    throw error
  }
}

function firstNotice(worker: Worker): Promise<DeviceNotice> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', (cause) => reject(diedError(cause)))
    worker.once('exit', () => reject(diedError()))
  })
}
