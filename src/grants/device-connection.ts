import { MessageChannel, type MessagePort } from 'node:worker_threads'
import * as Comlink from 'comlink'
import { publish } from '../diagnostics.js'
import { busyError, closedError, diedError, type GrantError } from '../errors.js'
import { fromEnvelope } from '../threads/envelope.js'
import { atTurnEnd } from '../threads/turn-end.js'
import {
  type DeviceCalls,
  type DeviceStats,
  MAX_BATCH,
  Op,
  type Reply,
  RequestField,
  type SessionEvent,
  type SessionMessage,
} from './grant-messages.js'

/** Who waits for the answer to a request. Exactly one of its methods is called, once. */
export interface Pending {
  /** The answer is `count` of the values from `at`, see `Op`; they are to be read now. */
  answered(values: readonly number[], at: number, count: number, buffers: readonly SharedArrayBuffer[]): void
  failed(error: unknown): void
}

export interface ConnectionEvents {
  onEvent(event: SessionEvent): void
  /** The device worker is gone, or this connection has been closed by the other side. */
  onLost(error: GrantError): void
}

/** Stands for the welcome among the pending requests, which are numbered from 1. */
const WELCOME = 0

/**
 * A thread's own line to the device worker: one port, on which answers and events come in the order in which they were
 * said. Requests made in one turn of this thread's event loop travel together. Every request settles: with its answer, or
 * when the line is lost.
 */
export class Connection {
  readonly #port: MessagePort
  /**
   * Made when first needed. Referenced as long as the connection: comlink drops the answers of a proxy that has been
   * collected.
   */
  #calls: Comlink.Remote<DeviceCalls> | undefined
  readonly #pending = new Map<number, Pending>()
  #maxQueue = Infinity
  #nextRequestId = 1
  #outbox: number[] = []
  #lost: GrantError | undefined
  #closing = false

  /** @param port one end of a channel whose other end the device worker serves; ownership passes to the connection */
  constructor(port: MessagePort, events: ConnectionEvents) {
    this.#port = port
    port.postMessage('hello' satisfies SessionMessage)
    port.on('message', (event: Reply | SessionEvent) => {
      if (Array.isArray(event)) {
        this.#settle(event)
        return
      }
      if (event.type === 'welcome') {
        this.#maxQueue = event.maxQueue
        this.#take(WELCOME)
      }
      if (event.type === 'closing') this.#closing = true
      events.onEvent(event)
    })
    port.on('close', () => {
      this.fail(this.#closing ? closedError() : diedError())
      this.#releaseCalls()
      events.onLost(this.#lost!)
    })
    // Until the session is open, connect() waits for it.
    this.#expect(WELCOME, { answered() {}, failed() {} })
  }

  get lost(): boolean {
    return this.#lost !== undefined
  }

  /** @returns the values of the answer, see `Op` */
  request(op: number, a: number, b = 0, c = 0, d = 0): Promise<readonly number[]> {
    return new Promise((resolve, reject) => {
      const answered = (values: readonly number[], at: number, count: number): void =>
        resolve(values.slice(at, at + count))
      this.send({ answered, failed: reject }, op, a, b, c, d)
    })
  }

  /**
   * As {@link request}, for what is done thousands of times a second. A share fails with ERR_GRANTS_BUSY when `maxQueue`
   * requests are pending.
   * @returns its id, which {@link cancel} takes; `pending` hears nothing before this returns
   */
  send(pending: Pending, op: number, a: number, b = 0, c = 0, d = 0): number {
    const id = this.#nextRequestId++
    const refusal = this.#lost ?? this.#tooMany(op)
    if (refusal) {
      queueMicrotask(() => pending.failed(refusal))
      return id
    }
    this.#expect(id, pending)
    if (this.#outbox.length === 0) atTurnEnd(this.#flush)
    this.#outbox.push(id, op, a, b, c, d)
    return id
  }

  /** Giving back is never refused: it is what makes room. */
  #tooMany(op: number): GrantError | undefined {
    if (op !== Op.share || this.#pending.size < this.#maxQueue) return undefined
    publish('xen-grants:saturated', () => ({ pending: this.#pending.size, maxQueue: this.#maxQueue }))
    return busyError(this.#maxQueue)
  }

  /** Asks that a request which still waits be dropped. It then fails, unless it has just been carried out. */
  cancel(id: number): void {
    if (this.#pending.has(id)) void this.request(Op.cancel, id).catch(() => {})
  }

  stats(): Promise<DeviceStats> {
    if (this.#lost) return Promise.reject(this.#lost)
    // A comlink call stays pending for ever when the worker dies, so this one is listed among those that fail then.
    const id = this.#nextRequestId++
    return new Promise((resolve, reject) => {
      this.#expect(id, { answered() {}, failed: reject })
      this.#deviceCalls()
        .stats()
        .then((answer) => {
          if ('error' in answer) reject(fromEnvelope(answer.error))
          else resolve(answer.value)
        })
        .catch(reject)
        .finally(() => this.#take(id))
    })
  }

  #deviceCalls(): Comlink.Remote<DeviceCalls> {
    if (!this.#calls) {
      const { port1, port2 } = new MessageChannel()
      this.#calls = Comlink.wrap<DeviceCalls>(port1 as Comlink.Endpoint)
      // What is pending is counted here: this port keeps nothing alive by itself.
      port1.unref()
      this.#port.postMessage({ calls: port2 } satisfies SessionMessage, [port2])
    }
    return this.#calls
  }

  /** Until it is told, comlink keeps the proxy, and through it everything that refers to this line. */
  #releaseCalls(): void {
    this.#calls?.[Comlink.releaseProxy]()
    this.#calls = undefined
  }

  readonly #flush = (): void => {
    const outbox = this.#outbox
    this.#outbox = []
    const step = MAX_BATCH * RequestField.stride
    for (let at = 0; at < outbox.length; at += step) {
      const batch = outbox.length <= step ? outbox : outbox.slice(at, at + step)
      this.#port.postMessage(batch satisfies SessionMessage)
    }
  }

  #settle([done, buffers = [], failed = []]: Reply): void {
    for (let at = 0; at < done.length; ) {
      const id = done[at]!
      const count = done[at + 1]!
      this.#take(id)?.answered(done, at + 2, count, buffers)
      at += 2 + count
    }
    for (const { requestId, error } of failed) this.#take(requestId)?.failed(fromEnvelope(error))
  }

  #expect(id: number, pending: Pending): void {
    if (this.#pending.size === 0) this.#ref()
    this.#pending.set(id, pending)
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (this.#pending.size === 0) this.#unref()
    return pending
  }

  /** Rejects everything pending and everything to come. The first error stays. */
  fail(error: GrantError): void {
    this.#lost ??= error
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    this.#unref()
    for (const one of pending) one.failed(this.#lost)
  }

  close(): void {
    this.fail(closedError())
    this.#releaseCalls()
    this.#port.close()
  }

  /** While something is pending, it keeps the process alive. */
  #ref(): void {
    this.#port.ref()
  }

  #unref(): void {
    this.#port.unref()
  }
}
