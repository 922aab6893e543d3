import type { ErrorEnvelope } from '../threads/envelope.js'
import type { ThreadData } from '../threads/thread-messages.js'

/** Given to the store worker when it starts: a StoreDeviceModule. */
export interface StoreWorkerData extends ThreadData {
  module: string
  options: unknown
}

/** From the thread that has opened the store to its worker. */
export type StoreControl =
  /** Whole messages of xenstored, one after the other. */
  { type: 'write'; requests: Uint8Array } | { type: 'close' }

/** From the worker, once it is ready. */
export type StoreNotice =
  /** Any part of the stream of answers and events. */
  | { type: 'read'; bytes: Uint8Array }
  /** The kernel has not taken the request: there will be no answer. */
  | { type: 'refused'; requestId: number; code: string }
  /** Nothing can be read any more. */
  | { type: 'lost'; error: ErrorEnvelope }
