import type { MessagePort } from 'node:worker_threads'
import type { DeviceDescriptor } from '../drivers/descriptor.js'
import type { ErrorEnvelope } from '../threads/envelope.js'
import type { Outcome, ThreadData } from '../threads/thread-messages.js'

/**
 * Everything that crosses threads. Hot messages are flat arrays of numbers: cloning an array of objects costs ten times more,
 * and a typed array, which brings an ArrayBuffer along, twice as much for a single request.
 *
 * A request is {@link RequestField.stride} numbers; a batch is any number of them in a row, in one array. Answers
 * come back the same way, in any order. All values are safe integers.
 */
export const RequestField = { requestId: 0, op: 1, a: 2, b: 3, c: 4, d: 5, stride: 6 } as const

/** Requests in one batch at most: a longer one would hold up the answers to its first. */
export const MAX_BATCH = 1024

export const Op = {
  /** a = domid, b = pages, c = ShareFlag bits → position of the buffer, grant id, one reference per page */
  share: 1,
  /** a = grant id, b = UnshareFlag bits → nothing. Answered when the pages have been given back. */
  unshare: 2,
  /** a = grant id → position of the buffer, domid, pages, writable (0 or 1), one reference per page. Takes a lease. */
  attach: 3,
  /** a = grant id → nothing. Returns one lease of this client. */
  detach: 4,
  /** a = grant id, b = byte offset within the grant, c = action bits, d = event channel port → nothing */
  setUnmapNotify: 5,
  /** a = request id of this client that is still waiting → nothing; that request fails with ABORTED */
  cancel: 6,
  /** a = grant id → nothing. Asks the thread that owns the grant to unshare it once its own work on it is done. */
  requestUnshare: 7,
  /** a = domid → 1 if Xen knows it, 0 if not; nothing when that cannot be asked */
  domainExists: 8,
} as const

/** `status`: a status page for offers, which comes on top of what the budgets allow. */
export const ShareFlag = { writable: 1, wait: 2, status: 4 } as const

export const UnshareFlag = { force: 1, fireNotify: 2 } as const

/**
 * Answers. Each in `done`: request id, number of values, the values. `buffers` is the memory of grants: an answer that brings
 * one has its position there as its first value. Failures travel beside them, as envelopes.
 */
export type Reply = [done: number[], buffers?: SharedArrayBuffer[], failed?: FailedRequest[]]

export interface FailedRequest {
  requestId: number
  error: ErrorEnvelope
}

/**
 * From a client to the device worker, on its own port: first 'hello', then batches. `calls` is a port for comlink, with
 * {@link DeviceCalls} behind it.
 */
export type SessionMessage = 'hello' | number[] | { calls: MessagePort }

/** What a client may call on the device worker, through comlink. */
export interface DeviceCalls {
  stats(): Outcome<DeviceStats>
}

/** From the device worker to a client, beside the replies and on the same port: what is told of a grant comes after the answer that brought it. */
export type SessionEvent =
  /** The first event: the session is open. */
  | { type: 'welcome'; server: string; maxQueue: number; deviceThread: number; serverThread: number }
  /** Zero pages have taken the place of this grant's, and the lease is gone. */
  | { type: 'revoked'; id: number }
  /** The owner, this client, is asked to unshare. */
  | { type: 'unshare-requested'; id: number }
  /** The server is closing: finish, return every lease, close. */
  | { type: 'closing' }

export interface DeviceStats {
  grants: number
  pages: number
  /** The budget over all grants, in pages; Infinity for none. */
  maxPages: number
  domains: Record<number, number>
  /** Requests received and not yet carried out. */
  queued: number
  /** Requests that wait for pages or for leases. */
  waiting: number
  clients: number
  /** Pages the server keeps allocated against a bug of the driver; not among `pages`. See docs/enospc.md. */
  reserve: number
  operations: number
  batches: number
  /** What the kernel frees a second of pages that peers unmapped late; see `DeviceLimits`. */
  freePerIteration: number | undefined
  /** Calls made on the device, by name. */
  calls: Record<string, number>
}

/** Given to the device worker when it starts. */
export interface DeviceWorkerData extends ThreadData {
  descriptor: DeviceDescriptor
  /** Names this server in handles. */
  server: string
  /** The id of the server's thread. */
  serverThread: number
  budget: BudgetOptions
  scrub: boolean
}

export interface BudgetOptions {
  /** Undefined: what the driver's limit leaves. */
  maxPages: number | undefined
  maxPagesPerDomain: number | undefined
  maxQueue: number
  /** Grant table entries left to others. Undefined: a sixteenth. */
  headroom: number | undefined
}

/** From the server's thread to the device worker, over the worker's own port. */
export type DeviceControl = { type: 'connect'; port: MessagePort } | { type: 'close'; force: boolean }

/** From the device worker to the server's thread, over the worker's own port. */
export type DeviceNotice =
  /** Something failed that no caller waits for. */
  { type: 'error'; error: ErrorEnvelope }

/** From a pooled worker straight to the device worker (postMessageToThread). */
export interface DirectConnect {
  xenGrantsConnect: MessagePort
}
