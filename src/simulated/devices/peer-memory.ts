import { once } from 'node:events'
import type { Worker } from 'node:worker_threads'
import { GrantError } from '../../errors.js'
import { startThread } from '../spawn.js'
import { errorFromWire } from '../wire/codec.js'
import type { PeerReply, PeerRequest } from './peer-worker.js'

interface Pending {
  resolve(buffer: SharedArrayBuffer | undefined): void
  reject(error: Error): void
}

/**
 * The granter's memory, as peers in this thread get to see it. A worker maps it, which starts with the first mapping: native
 * code stays out of the threads of users, which may be terminated at any moment.
 */
export class PeerMemory {
  readonly #path: string
  #worker: Promise<Worker> | undefined
  readonly #pending = new Map<number, Pending>()
  #lastId = 0
  #closed = false

  /** @param path the directory of the simulated Xen */
  constructor(path: string) {
    this.#path = path
  }

  /** Everything has been unmapped, or is about to be. */
  get closed(): boolean {
    return this.#closed
  }

  /** @returns the number of the mapping, and the frames in their order. @throws GrantError */
  async map(frames: Uint32Array, writable: boolean): Promise<{ id: number; buffer: SharedArrayBuffer }> {
    const id = ++this.#lastId
    const buffer = await this.#request({ id, type: 'map', frames, writable })
    return { id, buffer: buffer! }
  }

  /** From then on its views read zeros. Harmless when it is unmapped already. */
  async unmap(id: number): Promise<void> {
    await this.#request({ id, type: 'unmap' })
  }

  async #request(request: PeerRequest): Promise<SharedArrayBuffer | undefined> {
    if (this.#closed) throw closed(this.#path)
    this.#worker ??= this.#start()
    const worker = await this.#worker
    if (this.#closed) throw closed(this.#path)
    return new Promise((resolve, reject) => {
      if (this.#pending.size === 0) worker.ref()
      this.#pending.set(request.id, { resolve, reject })
      worker.postMessage(request)
    })
  }

  async #start(): Promise<Worker> {
    const worker = await startThread('simulated-peer.js', { path: this.#path })
    worker.on('message', (reply: PeerReply) => {
      const pending = this.#pending.get(reply.id)
      this.#pending.delete(reply.id)
      if (this.#pending.size === 0) worker.unref()
      if ('error' in reply) pending?.reject(errorFromWire(reply.error))
      else pending?.resolve(reply.buffer)
    })
    worker.once('exit', () => this.#fail())
    worker.unref()
    return worker
  }

  /** Unmaps everything. Resolves when the worker has ended. */
  async close(): Promise<void> {
    this.#closed = true
    const worker = await this.#worker?.catch(() => undefined)
    if (worker && worker.threadId > 0) {
      const ended = once(worker, 'exit')
      worker.ref()
      worker.postMessage('close')
      await ended
    }
    this.#fail()
  }

  #fail(): void {
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const { reject } of pending) reject(closed(this.#path))
  }
}

function closed(path: string): GrantError {
  return new GrantError('ERR_GRANTS_CLOSED', 'This SimulatedXen has been closed', { path })
}
