import { type MessagePort, Worker } from 'node:worker_threads'

/** A worker thread that runs test/fixtures/client-thread.mjs. */
export class ClientThread {
  readonly worker = new Worker(new URL('../fixtures/client-thread.mjs', import.meta.url), { execArgv: [] })
  readonly #pending = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>()
  #next = 1

  constructor() {
    this.worker.on('message', ({ id, value, failure }) => {
      const pending = this.#pending.get(id)
      this.#pending.delete(id)
      if (failure) pending?.reject(Object.assign(new Error(failure.message), failure))
      else pending?.resolve(value)
    })
    this.worker.on('error', () => {})
  }

  static async connected(port: MessagePort): Promise<ClientThread> {
    const thread = new ClientThread()
    await thread.do('connect', port, [port])
    return thread
  }

  // biome-ignore lint/suspicious/noExplicitAny: whatever the fixture answers
  do(command: string, argument?: unknown, transfer: MessagePort[] = []): Promise<any> {
    const id = this.#next++
    this.worker.postMessage({ id, command, argument }, transfer)
    return new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }))
  }

  /** Ends it from within, or from without. */
  async end(how: 'exit' | 'crash' | 'terminate'): Promise<void> {
    const exited = new Promise((resolve) => this.worker.once('exit', resolve))
    if (how === 'terminate') await this.worker.terminate()
    else void this.do(how)
    await exited
  }
}
