import type { MessagePort } from 'node:worker_threads'
import { toEnvelope } from './envelope.js'
import type { Outcome, ServiceAnswer, ServiceCall, ServiceControl, StartNotice } from './thread-messages.js'

/** A device's actor, as a service of its own thread. */
export interface Service {
  /** What its client may call: each answers an {@link Outcome}. */
  readonly methods: object
  close(): void
}

/** Opens, reports, serves the one client until told to close. The thread then ends by itself. */
export async function runService(control: MessagePort, open: () => Promise<Service>): Promise<void> {
  const notify = (notice: StartNotice): void => control.postMessage(notice)
  let service: Service
  try {
    service = await open()
  } catch (error) {
    notify({ type: 'failed', error: toEnvelope(error) })
    return
  }
  let port: MessagePort | undefined
  control.on('message', (message: ServiceControl) => {
    if (message.type === 'serve') {
      port = message.port
      serveCalls(port, service.methods)
      return
    }
    service.close()
    port?.close()
    control.close()
  })
  notify({ type: 'ready' })
}

/** What was called together is answered together. */
export function serveCalls(port: MessagePort, methods: object): void {
  const byName = methods as Record<string, (...args: unknown[]) => Outcome<unknown>>
  port.on('message', (calls: ServiceCall[]) => {
    port.postMessage(calls.map(([id, method, args]): ServiceAnswer => [id, byName[method]!(...args)]))
  })
}

/** As {@link outcome}, of a call that answers nothing. */
export function done(call: () => void): Outcome<null> {
  return outcome(() => {
    call()
    return null
  })
}

/** Errors travel as data: a message keeps neither their class nor their fields. */
export function outcome<T>(call: () => T): Outcome<T> {
  try {
    return { value: call() }
  } catch (error) {
    return { error: toEnvelope(error) }
  }
}
