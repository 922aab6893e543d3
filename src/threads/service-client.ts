import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { closedError, type GrantError } from '../errors.js'
import type { DeviceThread } from './device-thread.js'
import { type ErrorEnvelope, fromEnvelope } from './envelope.js'
import { Answered, type ServiceAnswers, type ServiceControl } from './thread-messages.js'
import { atTurnEnd } from './turn-end.js'

type Arguments<M> = M extends (...args: infer A) => unknown ? A : never
type Value<M> = M extends (...args: never[]) => infer T ? T : never

interface Pending {
  resolve(value: never): void
  reject(error: unknown): void
}

/**
 * Calls of a service in a worker, of which this thread is the only client. Every call settles. Those made in one turn of the
 * event loop travel together, are carried out in their order, and so do their answers: a connection of a vchan takes ten of
 * them, and to wake a thread costs as much as most of what it is woken for.
 */
export class ServiceLine<S> {
  readonly #thread: DeviceThread
  readonly #what: string
  readonly #port: MessagePort
  readonly #pending = new Map<number, Pending>()
  #nextId = 1
  #outbox: unknown[] = []
  #lost: GrantError | undefined

  /** @param what "the grant mapper" */
  constructor(thread: DeviceThread, what: string) {
    this.#what = what
    const { port1, port2 } = new MessageChannel()
    thread.post({ type: 'serve', port: port2 } satisfies ServiceControl, [port2])
    this.#thread = thread
    this.#port = port1
    port1.on('message', (answers: ServiceAnswers) => this.#settle(answers))
    // After the listener: that refs it.
    port1.unref()
    thread.once('end', (died) => this.#fail(died ?? closedError(this.#what)))
  }

  /** @throws what the service threw; GrantError ERR_GRANTS_WORKER_DIED, ERR_GRANTS_CLOSED */
  call<K extends keyof S & string>(method: K, ...args: Arguments<S[K]>): Promise<Value<S[K]>> {
    if (this.#lost) return Promise.reject(this.#lost)
    return new Promise((resolve, reject) => {
      // While something is pending, it keeps the process alive.
      if (this.#pending.size === 0) this.#port.ref()
      const id = this.#nextId++
      this.#pending.set(id, { resolve, reject })
      if (this.#outbox.length === 0) atTurnEnd(this.#flush)
      this.#outbox.push(id, method, args.length)
      for (let i = 0; i < args.length; i++) this.#outbox.push(args[i])
    })
  }

  /** Nothing can be called any more; the worker closes its device and ends. */
  async close(): Promise<void> {
    this.#fail(closedError(this.#what))
    await this.#thread.close({ type: 'close' } satisfies ServiceControl)
    this.#port.close()
  }

  readonly #flush = (): void => {
    const calls = this.#outbox
    this.#outbox = []
    if (!this.#lost) this.#port.postMessage(calls)
  }

  #settle(answers: ServiceAnswers): void {
    for (let at = 0; at < answers.length; at += 3) {
      const id = answers[at] as number
      const pending = this.#pending.get(id)
      if (!pending) continue
      this.#pending.delete(id)
      const value = answers[at + 2]
      if (answers[at + 1] === Answered.failed) pending.reject(fromEnvelope(value as ErrorEnvelope))
      else pending.resolve(value as never)
    }
    if (this.#pending.size === 0) this.#port.unref()
  }

  #fail(error: GrantError): void {
    this.#lost ??= error
    for (const { reject } of this.#pending.values()) reject(this.#lost)
    this.#pending.clear()
    this.#port.unref()
  }
}
