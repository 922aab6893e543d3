import { setImmediate } from 'node:timers'
import { MessagePort } from 'node:worker_threads'
import * as Comlink from 'comlink'
import { outcome } from '../../threads/service-calls.js'
import {
  type DeviceCalls,
  MAX_BATCH,
  RequestField,
  type SessionEvent,
  type SessionMessage,
} from '../grant-messages.js'
import type { ClientSession } from './client-session.js'
import type { DeviceActor } from './device-actor.js'

/** The ports on which clients are served, or may be once they say hello. */
export class ClientPorts {
  readonly #actor: DeviceActor
  /** Given out, and not claimed yet. */
  readonly #unclaimed = new Set<MessagePort>()

  constructor(actor: DeviceActor) {
    this.#actor = actor
  }

  /** For a client that is to come, or may never come. */
  offer(port: MessagePort): void {
    this.#unclaimed.add(port)
    port.once('close', () => this.#unclaimed.delete(port))
    serveClient(this.#actor, port, () => this.#unclaimed.delete(port))
  }

  /** Who comes now comes too late, and is told so. */
  turnAway(): void {
    for (const port of this.#unclaimed) {
      port.postMessage({ type: 'closing' } satisfies SessionEvent)
      port.close()
    }
  }
}

/**
 * Serves one client on its port: a hello, then batches of requests; answers and events go back the same way, in order.
 * The session ends when the port closes, which Node does when the thread at the other end exits. A port that sends
 * anything else is not our client's, and is closed.
 */
export function serveClient(actor: DeviceActor, port: MessagePort, claimed = (): void => {}): void {
  let session: ClientSession | undefined
  port.on('message', (message: SessionMessage | undefined) => {
    if (!session) {
      claimed()
      if (message !== 'hello') port.close()
      else session = begin(actor, port)
    } else if (isBatch(message)) {
      actor.submit(session, message)
    } else {
      const calls = callsOf(message)
      if (calls) serveCalls(actor, calls)
      else port.close()
    }
  })
  port.once('messageerror', () => port.close())
  // Until a client has connected it keeps neither thread nor process alive.
  port.unref()
}

function begin(actor: DeviceActor, port: MessagePort): ClientSession {
  const session = actor.connect(
    (message) => port.postMessage(message),
    // Not before the answers that are on their way: closing does not wait for those still to be posted.
    () => setImmediate(() => port.close()),
  )
  port.once('close', () => actor.end(session))
  port.ref()
  return session
}

/** Whether it has the length of one: each request is checked when it is decoded. */
function isBatch(value: unknown): value is number[] {
  if (!Array.isArray(value)) return false
  const requests = value.length / RequestField.stride
  return Number.isInteger(requests) && requests <= MAX_BATCH
}

function callsOf(value: unknown): MessagePort | undefined {
  const { calls } = (value ?? {}) as { calls?: unknown }
  return calls instanceof MessagePort ? calls : undefined
}

/** What is asked rarely is asked through comlink. */
function serveCalls(actor: DeviceActor, port: MessagePort): void {
  const calls: DeviceCalls = Object.freeze({ stats: () => outcome(() => actor.stats()) })
  Comlink.expose(calls, guarded(port))
  // It goes with the thread at its other end, and holds nothing up until then.
  port.unref()
}

/**
 * Comlink trusts its messages: a malformed one throws in its listener, which would end the device worker and with it
 * every other client. Only plain calls of the methods get through.
 */
function guarded(port: MessagePort): Comlink.Endpoint {
  const listeners = new Map<unknown, (value: unknown) => void>()
  return {
    postMessage: (message, transfer) => port.postMessage(message, (transfer ?? []) as MessagePort[]),
    addEventListener: (_type, listener) => {
      const handler = (data: unknown): void => {
        if (!isCall(data)) {
          port.close()
          return
        }
        const event = { data } as MessageEvent
        if (typeof listener === 'function') listener(event)
        else listener.handleEvent(event)
      }
      listeners.set(listener, handler)
      port.on('message', handler)
    },
    removeEventListener: (_type, listener) => {
      const handler = listeners.get(listener)
      if (handler) port.off('message', handler)
    },
  }
}

interface Call {
  id: string
  type: string
  path: string[]
  argumentList: unknown[]
}

function isCall(data: unknown): boolean {
  const { id, type, path, argumentList } = (data ?? {}) as Partial<Call>
  if (typeof id !== 'string' || type !== 'APPLY') return false
  if (!Array.isArray(path) || path.length !== 1 || path[0] !== 'stats') return false
  return Array.isArray(argumentList) && argumentList.length === 0
}
