import type { Buffer } from 'node:buffer'
import type { StoreMessage } from '../drivers/xenbus/wire.js'
import type { XenStoreError } from './store-error.js'

/** A way to xenstored: its Unix socket, or the kernel's device. */
export interface StoreTransport {
  /** What it is called in messages. */
  readonly path: string

  /** Bytes after the header that a request can have. */
  readonly maxPayload: number

  /** Requests that it can have unanswered at a time. */
  readonly maxPending: number

  /** From now on tells what comes. Once. Does not keep the process alive, see `ref`. */
  start(listener: TransportListener): void

  /** @param request a whole message, whose number is at most {@link MAX_REQUEST_ID} */
  send(request: Buffer): void

  /** From now on this keeps the process alive, until `unref`. */
  ref(): void
  unref(): void

  /** Nothing is told any more. Resolves when everything has been given back, and never rejects. */
  close(): Promise<void>
}

/** None of these may throw. */
export interface TransportListener {
  message(message: StoreMessage): void

  /** The connection is of no use any more; it is still to be closed. */
  lost(error: XenStoreError): void
}

/** Numbers above are the transport's own. */
export const MAX_REQUEST_ID = 0xffff_fffe
