import { EventEmitter, once } from 'node:events'
import type { URL } from 'node:url'
import { type Transferable, Worker } from 'node:worker_threads'
import { untilAborted } from '../abort.js'
import { diedError, type GrantError } from '../errors.js'
import { closeGate, createGate } from '../native/gate.js'
import { ownFile } from '../native/own-file.js'
import { assertNode } from '../native/runtime.js'
import { startError } from '../native/start-error.js'
import { fromEnvelope } from './envelope.js'
import type { StartNotice, ThreadData } from './thread-messages.js'

interface DeviceThreadEvents {
  /** A message that is not about starting. */
  message: [unknown]
  /** The thread has ended: in order, or it died. */
  end: [died: GrantError | undefined]
}

/** A worker thread that owns a device and mappings, as seen by the thread that started it. */
export class DeviceThread extends EventEmitter<DeviceThreadEvents> {
  readonly #worker: Worker
  #closing = false
  #died: GrantError | undefined

  private constructor(worker: Worker) {
    super()
    this.#worker = worker
    worker.on('message', (message) => this.emit('message', message))
    worker.on('error', (cause) => {
      this.#died = diedError(cause)
    })
    worker.on('exit', () => {
      if (!this.#closing) this.#died ??= diedError()
      this.emit('end', this.#died)
    })
    // After the listeners: listening for messages refs it.
    worker.unref()
  }

  /**
   * @param entry file in `workers/`
   * @param data what the entry needs, beside {@link ThreadData}
   * @returns once it has opened its device
   * @throws the error of opening, or the signal's reason
   */
  static async start(entry: string, data: object, signal: AbortSignal | undefined): Promise<DeviceThread> {
    assertNode()
    const gate = createGate()
    const own: ThreadData = { gate }
    const file = ownFile(`../../workers/${entry}`, import.meta.url)
    const worker = new Worker(file, {
      workerData: { ...data, ...own },
      name: `xen-grants ${entry}`,
      // An inherited --input-type would keep it from starting.
      execArgv: [],
    })
    // Once it has ended, by itself or not, no thread is behind the gate.
    worker.once('exit', () => void closeGate(gate))
    const first = firstNotice(worker, file)
    try {
      const notice = await untilAborted(first, signal)
      if (notice.type === 'failed') throw fromEnvelope(notice.error)
      return new DeviceThread(worker)
    } catch (error) {
      // Not before it has reported: a thread must not be ended while it loads native code.
      first.then(
        () => worker.terminate(),
        () => {},
      )
      throw error
    }
  }

  get died(): GrantError | undefined {
    return this.#died
  }

  /** From now on it keeps the process alive, until `unref`. */
  ref(): void {
    this.#worker.ref()
  }

  unref(): void {
    this.#worker.unref()
  }

  post(message: unknown, transfer: readonly Transferable[] = []): void {
    this.#worker.postMessage(message, transfer)
  }

  /** Asks it to close and waits for its end, which keeps the process alive. */
  async close(message: unknown): Promise<void> {
    if (this.#died || this.#worker.threadId < 0) return
    this.#closing = true
    this.#worker.ref()
    const exited = once(this.#worker, 'exit')
    this.post(message)
    await exited
  }
}

function firstNotice(worker: Worker, file: URL): Promise<StartNotice> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', (cause) => reject(startError(file, cause)))
    worker.once('exit', () => reject(startError(file)))
  })
}
