import { Buffer } from 'node:buffer'
import { existsSync } from 'node:fs'
import process from 'node:process'
import { pause } from '../abort.js'
import { xenbus } from '../drivers/catalogue.js'
import type { DeviceDescriptor } from '../drivers/descriptor.js'
import { Header, MessageType, type StoreMessage, setHeader } from '../drivers/xenbus/wire.js'
import { GrantError } from '../errors.js'
import { DeviceThread } from '../threads/device-thread.js'
import { fromEnvelope } from '../threads/envelope.js'
import { strings } from './caller.js'
import { readMessages } from './incoming.js'
import { XenStoreError } from './store-error.js'
import type { StoreControl, StoreNotice, StoreWorkerData } from './store-messages.js'
import { MAX_REQUEST_ID, type StoreTransport, type TransportListener } from './transport.js'

/** XENSTORE_PAYLOAD_MAX less the header, which shares the kernel's buffer of 4096 bytes with it. */
const MAX_REQUEST = 4080
const MAX_REPLY = 4096

/** The number of the request that finds out whether xenstored answers. */
const PROBE = MAX_REQUEST_ID + 1

/** What a worker has to end in. One that waits for a dead xenstored inside the kernel cannot be ended by anything. */
const PATIENCE_MS = 2000

/**
 * The kernel's device, through a worker. A WATCH or UNWATCH blocks its thread inside write() until xenstored answers, and no
 * signal ends that: so each is held back until xenstored has just answered something harmless. What the kernel refuses at
 * once becomes the reply that xenstored would have sent.
 */
export class DeviceTransport implements StoreTransport {
  readonly path: string
  readonly maxPayload = MAX_REQUEST
  /**
   * Linux (6.1, and all since 4.11) queues a request with a pointer to what the file's next write() overwrites
   * (`xenbus_dev_request_and_reply` in drivers/xen/xenbus/xenbus_xs.c): written before the first has been answered, a second
   * one is sent in its place. Seen on a real Xen: reads of the wrong node, requests that are never answered.
   */
  readonly maxPending = 1
  readonly #thread: DeviceThread
  #listener: TransportListener = { message() {}, lost() {} }
  #outgoing: Buffer[] = []
  #held: Buffer[] = []
  #probing = false
  #closed = false

  private constructor(path: string, thread: DeviceThread) {
    this.path = path
    this.#thread = thread
  }

  /** @throws XenStoreError when the device cannot be opened; the signal's reason */
  static async open(
    { module, options, path }: DeviceDescriptor,
    signal: AbortSignal | undefined,
  ): Promise<DeviceTransport> {
    const data: Omit<StoreWorkerData, 'gate'> = { module, options }
    try {
      return new DeviceTransport(path, await DeviceThread.start('store.js', data, signal))
    } catch (error) {
      if (!(error instanceof GrantError)) throw error
      throw new XenStoreError(error.code, error.message, { operation: 'open', path, cause: error })
    }
  }

  start(listener: TransportListener): void {
    this.#listener = listener
    const incoming = readMessages(MAX_REPLY, (message) => this.#receive(message))
    this.#thread.on('message', (message) => {
      if (this.#closed) return
      const notice = message as StoreNotice
      if (notice.type === 'read') {
        const wrong = incoming.push(notice.bytes)
        if (wrong) listener.lost(wrong)
      } else if (notice.type === 'refused') this.#receive(refusedBy(notice))
      else this.#lose(fromEnvelope(notice.error))
    })
    this.#thread.once('end', (died) => {
      if (!this.#closed) this.#lose(died)
    })
  }

  send(request: Buffer): void {
    const type = request.readUInt32LE(Header.type)
    if (type === MessageType.watch || type === MessageType.unwatch) {
      this.#held.push(request)
      this.#probe()
    } else this.#queue(request)
  }

  ref(): void {
    this.#thread.ref()
  }

  unref(): void {
    this.#thread.unref()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const over = new AbortController()
    const late = pause(PATIENCE_MS, over.signal).catch(() => {})
    await Promise.race([this.#thread.close({ type: 'close' } satisfies StoreControl), late])
    over.abort()
    this.#thread.unref()
  }

  #queue(request: Buffer): void {
    if (this.#outgoing.length === 0) process.nextTick(this.#flush)
    this.#outgoing.push(request)
  }

  readonly #flush = (): void => {
    const requests = Uint8Array.from(Buffer.concat(this.#outgoing))
    this.#outgoing = []
    if (this.#closed) return
    this.#thread.post({ type: 'write', requests } satisfies StoreControl, [requests.buffer])
  }

  #probe(): void {
    if (this.#probing) return
    this.#probing = true
    const request = strings('0')
    setHeader(request, MessageType.getDomainPath, PROBE, 0)
    this.#queue(request)
  }

  #receive(message: StoreMessage): void {
    if (message.type === MessageType.watchEvent || message.requestId !== PROBE || !this.#probing) {
      this.#listener.message(message)
      return
    }
    this.#probing = false
    const held = this.#held
    this.#held = []
    for (const request of held) this.#queue(request)
  }

  #lose(cause: Error | undefined): void {
    const code = cause instanceof GrantError ? cause.code : 'ERR_GRANTS_WORKER_DIED'
    const why =
      cause === undefined || code === 'ERR_GRANTS_WORKER_DIED' ? 'the store worker died' : cause.message
    const message = `${this.path}: ${why}. What it watched is forgotten: open the store again`
    this.#listener.lost(new XenStoreError(code, message, { operation: 'receive', path: this.path, cause }))
  }
}

/** As xenstored would have said it. */
function refusedBy({ requestId, code }: { requestId: number; code: string }): StoreMessage {
  return { type: MessageType.error, requestId, transactionId: 0, payload: Buffer.from(code) }
}

/** Where the kernel's file was before there was a device, and still is without devtmpfs. */
const OLD_DEVICE = '/proc/xen/xenbus'

/** @throws XenStoreError, as {@link DeviceTransport.open} */
export function openDevice(path: string, signal: AbortSignal | undefined): Promise<DeviceTransport> {
  const module = xenbus.implementation
  return DeviceTransport.open({ module, options: { path }, path, simulated: false }, signal)
}

/** This domain's. @param before why there is nothing better, for the error that there is nothing at all */
export async function openOwnDevice(
  before: XenStoreError,
  signal: AbortSignal | undefined,
): Promise<DeviceTransport> {
  const path = !existsSync(xenbus.path) && existsSync(OLD_DEVICE) ? OLD_DEVICE : xenbus.path
  try {
    return await openDevice(path, signal)
  } catch (error) {
    if (!(error instanceof XenStoreError)) throw error
    const message = `${error.message}. Before that: ${before.message}`
    throw new XenStoreError(error.code, message, { operation: 'open', path, cause: error })
  }
}
