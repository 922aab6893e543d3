import type { MessagePort } from 'node:worker_threads'
import type { ErrorEnvelope } from './envelope.js'

/** Given to every thread that owns a device. */
export interface ThreadData {
  /** See `src/native/gate.ts`. */
  gate: SharedArrayBuffer
}

/** The first message of such a thread, over its own port. */
export type StartNotice = { type: 'ready' } | { type: 'failed'; error: ErrorEnvelope }

/** Given to a cleaner when it starts, see `src/threads/orphans.ts`. */
export interface CleanerData extends ThreadData {
  orphans: SharedArrayBuffer[]
}

/** From a client whose device worker has died to the thread of its server (postMessageToThread). */
export interface OrphanMessage {
  xenGrantsOrphans: readonly SharedArrayBuffer[]
}

/** What a call of a service answers: errors as data, see `src/threads/envelope.ts`. */
export type Outcome<T> = { value: T } | { error: ErrorEnvelope }

/** From the thread that started a service to it, over the worker's own port. */
export type ServiceControl =
  /** `port` is for {@link ServiceCalls}. */
  { type: 'serve'; port: MessagePort } | { type: 'close' }

/**
 * A message to a service: of each call its number, which is the caller's, the method, how many arguments there are, and these. All
 * in one flat array: to clone an array or an object for each takes longer than what is in it.
 */
export type ServiceCalls = readonly unknown[]

/** Its reply: of each call the number, {@link Answered}, and what it has returned, or an {@link ErrorEnvelope}. */
export type ServiceAnswers = readonly unknown[]

export const Answered = { returned: 0, failed: 1 } as const
