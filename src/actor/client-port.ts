import type { MessagePort } from 'node:worker_threads'
import * as Comlink from 'comlink'
import { type DeviceSession, MAX_BATCH, RequestField, type SessionHello } from '../protocol/messages.js'
import type { DeviceActor } from './device-actor.js'

/** How many arguments each method takes. */
const methods: Record<string, number> = { submit: 1, stats: 0 }

/**
 * Serves one client on its port: a hello that brings the port for events, then comlink calls of {@link DeviceSession}.
 * The session ends when the port closes, which Node does when the thread at the other end exits.
 */
export function serveClient(actor: DeviceActor, port: MessagePort): void {
  port.once('message', (hello: Partial<SessionHello> | undefined) => {
    const events = hello?.events
    if (hello?.type !== 'hello' || typeof events?.postMessage !== 'function') {
      port.close()
      return
    }
    const session = actor.connect(
      (event) => events.postMessage(event),
      // Not before the answers that are on their way: closing does not wait for those still to be posted.
      () => setImmediate(() => port.close()),
    )
    const served: DeviceSession = Object.freeze({
      submit: (batch: Float64Array) => actor.submit(session, batch),
      stats: () => actor.stats(),
    })
    Comlink.expose(served, guarded(port))
    port.once('close', () => {
      events.close()
      actor.end(session)
    })
  })
  port.once('messageerror', () => port.close())
}

/** Memory that another thread could still change or lengthen is none: what has been checked must stay so. */
function isBatch(value: unknown): boolean {
  if (!(value instanceof Float64Array) || value.buffer instanceof SharedArrayBuffer) return false
  const requests = value.length / RequestField.stride
  return Number.isInteger(requests) && requests <= MAX_BATCH
}

/**
 * Comlink trusts its messages: a malformed one throws in its listener, which would end the device worker and with it
 * every other client. Only plain calls of the session's methods get through; whoever sends anything else is not our
 * client, and is hung up on.
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
  argumentList: { type: string; value: unknown }[]
}

function isCall(data: unknown): boolean {
  const { id, type, path, argumentList } = (data ?? {}) as Partial<Call>
  if (typeof id !== 'string' || type !== 'APPLY') return false
  if (!Array.isArray(path) || path.length !== 1 || !Array.isArray(argumentList)) return false
  const name = path[0]!
  // The length first: to look at every element of an array costs its sender nothing and us minutes.
  if (!Object.hasOwn(methods, name) || argumentList.length !== methods[name]) return false
  return argumentList.every((argument) => argument?.type === 'RAW' && isBatch(argument.value))
}
