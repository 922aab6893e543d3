import { MessageChannel, type MessagePort } from 'node:worker_threads'
import * as Comlink from 'comlink'
import { closedError, type GrantError } from '../errors.js'
import type { DeviceThread } from './device-thread.js'
import { fromEnvelope } from './envelope.js'
import type { Outcome, ServiceControl } from './thread-messages.js'

/** Calls of a service in a worker, of which this thread is the only client. Every call settles. */
export class ServiceLine<S> {
  readonly #thread: DeviceThread
  readonly #what: string
  readonly #port: MessagePort
  /** Referenced as long as the line: comlink drops the answers of a proxy that has been collected. */
  readonly #service: Comlink.Remote<S>
  readonly #pending = new Set<(error: GrantError) => void>()
  #lost: GrantError | undefined

  /** @param what "the grant mapper" */
  constructor(thread: DeviceThread, what: string) {
    this.#what = what
    const { port1, port2 } = new MessageChannel()
    thread.post({ type: 'serve', port: port2 } satisfies ServiceControl, [port2])
    this.#thread = thread
    this.#port = port1
    this.#service = Comlink.wrap<S>(port1 as Comlink.Endpoint)
    port1.unref()
    thread.once('end', (died) => this.#fail(died ?? closedError(this.#what)))
  }

  /** @throws what the service threw; GrantError ERR_GRANTS_WORKER_DIED, ERR_GRANTS_CLOSED */
  async call<T>(method: (service: Comlink.Remote<S>) => Promise<Outcome<T>>): Promise<T> {
    if (this.#lost) throw this.#lost
    let abandon = (_: GrantError): void => {}
    const abandoned = new Promise<never>((_, reject) => {
      abandon = reject
    })
    // While something is pending, it keeps the process alive.
    if (this.#pending.size === 0) this.#port.ref()
    this.#pending.add(abandon)
    try {
      const outcome = await Promise.race([method(this.#service), abandoned])
      if ('error' in outcome) throw fromEnvelope(outcome.error)
      return outcome.value
    } finally {
      this.#pending.delete(abandon)
      if (this.#pending.size === 0) this.#port.unref()
    }
  }

  /** Nothing can be called any more; the worker closes its device and ends. */
  async close(): Promise<void> {
    this.#fail(closedError(this.#what))
    await this.#thread.close({ type: 'close' } satisfies ServiceControl)
    this.#port.close()
  }

  #fail(error: GrantError): void {
    this.#lost ??= error
    for (const abandon of this.#pending) abandon(this.#lost)
  }
}
