import type { Buffer } from 'node:buffer'
import { clearInterval, setInterval } from 'node:timers'
import { MAX_PAYLOAD, MessageType, type StoreMessage, setHeader } from '../drivers/xenbus/wire.js'
import { FairQueue } from './fair-queue.js'
import { PendingRequest, type StoreRequest } from './pending-request.js'
import { closedError, protocolError, XenStoreError } from './store-error.js'
import { MAX_REQUEST_ID, type StoreTransport } from './transport.js'

export interface ConnectionOptions {
  /** Requests that xenstored is given before it has answered the first of them. */
  window: number
  /** Milliseconds xenstored has for an answer; 0: all it wants. */
  timeout: number
}

/** How often the clock ticks while one answer has its time. A late tick of a machine that was suspended is one tick. */
const TICKS = 2

const settled = Promise.resolve()

/**
 * One connection to xenstored: requests of any number of callers, matched with their replies by number. Whatever happens,
 * every request settles.
 */
export class StoreConnection {
  readonly #transport: StoreTransport
  readonly #window: number
  readonly #period: number
  readonly #waiting = new FairQueue<PendingRequest>()
  /** Sent, by number; the oldest first. */
  readonly #sent = new Map<number, PendingRequest>()
  #nextId = 1
  /** While above zero, the process is kept alive. */
  #holds = 0
  #held = false
  #clock: NodeJS.Timeout | undefined
  #ticks = 0
  #lost: XenStoreError | undefined
  #closing: Promise<void> | undefined
  /** Told of every watch event. */
  onEvent: (path: string, token: string) => XenStoreError | undefined = () => undefined
  /** Told once that nothing will come any more. */
  onEnd: (reason: XenStoreError) => void = () => {}

  constructor(transport: StoreTransport, { window, timeout }: ConnectionOptions) {
    this.#transport = transport
    this.#window = Math.min(window, transport.maxPending)
    this.#period = timeout / TICKS
    transport.start({
      message: (message) => this.#receive(message),
      lost: (error) => this.#lose(error),
    })
  }

  get path(): string {
    return this.#transport.path
  }

  get maxPayload(): number {
    return this.#transport.maxPayload
  }

  /** Why nothing can be asked any more. */
  get lost(): XenStoreError | undefined {
    return this.#lost
  }

  /**
   * @returns what follows the header of the reply
   * @throws XenStoreError; the signal's reason: what had been sent may be carried out all the same
   */
  request(request: StoreRequest): Promise<Buffer> {
    const { signal, lane } = request
    if (signal?.aborted) {
      request.late?.(undefined)
      return Promise.reject(signal.reason)
    }
    const pending = new PendingRequest(request, this)
    if (this.#lost) {
      pending.fail(this.#lost)
      return pending.answer
    }
    this.hold()
    if (this.#waiting.empty && this.#sent.size < this.#window) this.#send(pending)
    else this.#waiting.push(lane, pending)
    return pending.answer
  }

  /** Keeps the process alive until the same number of releases. */
  hold(): void {
    this.#holds++
    if (this.#held) return
    this.#held = true
    this.#transport.ref()
  }

  release(): void {
    // A caller that has its answer often asks again at once.
    if (--this.#holds === 0) void settled.then(this.#letGo)
  }

  readonly #letGo = (): void => {
    if (this.#holds > 0 || !this.#held) return
    this.#held = false
    this.#transport.unref()
  }

  /** Everything pending rejects. xenstored drops the watches and transactions of the connection. Never rejects. */
  close(): Promise<void> {
    this.#lose(closedError({ operation: 'close' }))
    return this.#closing!
  }

  #send(pending: PendingRequest): void {
    const { type, message, transactionId } = pending.request
    const requestId = this.#freeId()
    pending.sentAt = this.#ticks
    this.#sent.set(requestId, pending)
    if (!this.#clock && this.#period > 0) this.#startClock()
    setHeader(message, type, requestId, transactionId)
    this.#transport.send(message)
  }

  #sendNext(): void {
    while (this.#sent.size < this.#window) {
      const pending = this.#waiting.shift()
      if (!pending) return
      // Aborted before it was sent: xenstored never hears of it.
      if (pending.aborted) pending.request.late?.(undefined)
      else this.#send(pending)
    }
  }

  #freeId(): number {
    do this.#nextId = this.#nextId >= MAX_REQUEST_ID ? 1 : this.#nextId + 1
    while (this.#sent.has(this.#nextId))
    return this.#nextId
  }

  #receive(message: StoreMessage): void {
    if (this.#lost) return
    if (message.type === MessageType.watchEvent) {
      this.#receiveEvent(message.payload)
      return
    }
    const pending = this.#sent.get(message.requestId)
    const wrong = pending ? this.#answer(message, pending) : unasked(message)
    if (wrong) this.#lose(wrong)
  }

  #answer(message: StoreMessage, pending: PendingRequest): XenStoreError | undefined {
    const { length } = message.payload
    // oxenstored sends the children of a large directory in one reply, on its socket.
    if (length > MAX_PAYLOAD && message.type !== MessageType.directory)
      return protocolError(
        `xenstored answers with ${length} bytes, where ${MAX_PAYLOAD} are the most`,
        pending.request.subject,
      )
    const { aborted } = pending
    const wrong = pending.settle(message)
    if (wrong) return wrong
    this.#sent.delete(message.requestId)
    if (!this.#waiting.empty) this.#sendNext()
    if (!aborted) this.release()
    return undefined
  }

  /** The number of an event means nothing: Linux sends what was in its memory. */
  #receiveEvent(payload: Buffer): void {
    const end = payload.indexOf(0)
    const last = payload.indexOf(0, end + 1)
    const wrong =
      end < 1 || last !== payload.length - 1
        ? protocolError('xenstored sends a watch event without a path and a token', { operation: 'watch' })
        : this.onEvent(payload.toString('latin1', 0, end), payload.toString('latin1', end + 1, last))
    if (wrong) this.#lose(wrong)
  }

  #startClock(): void {
    this.#clock = setInterval(() => this.#tick(), this.#period)
    // What is pending keeps the process alive by itself.
    this.#clock.unref()
  }

  #tick(): void {
    this.#ticks++
    const [oldest] = this.#sent.values()
    if (!oldest) this.#stopClock()
    else if (this.#ticks - oldest.sentAt > TICKS) {
      const seconds = (this.#period * TICKS) / 1000
      const { subject } = oldest.request
      const message = `xenstored has not answered for ${seconds} s (${this.path}). Is it running? It cannot be restarted while domains run`
      this.#lose(new XenStoreError('ETIMEDOUT', message, subject))
    }
  }

  #stopClock(): void {
    clearInterval(this.#clock)
    this.#clock = undefined
  }

  #lose(reason: XenStoreError): void {
    if (this.#lost) return
    this.#lost = reason
    this.#stopClock()
    this.#closing = this.#transport.close()
    const pending = [...this.#sent.values(), ...this.#waiting.clear()]
    this.#sent.clear()
    for (const one of pending) {
      const { aborted } = one
      one.fail(reason)
      if (!aborted) this.release()
    }
    this.onEnd(reason)
  }
}

function unasked({ type, requestId }: StoreMessage): XenStoreError {
  return protocolError(`xenstored answers a request that was not made (number ${requestId}, type ${type})`, {
    operation: 'receive',
  })
}
