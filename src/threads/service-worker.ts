import type { MessagePort } from 'node:worker_threads'
import * as Comlink from 'comlink'
import { toEnvelope } from './envelope.js'
import type { Outcome, ServiceControl, StartNotice } from './thread-messages.js'

/** A device's actor, as a service of its own thread. */
export interface Service {
  /** What comlink may call. */
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
      Comlink.expose(service.methods, port as Comlink.Endpoint)
      return
    }
    service.close()
    port?.close()
    control.close()
  })
  notify({ type: 'ready' })
}

/** As {@link outcome}, of a call that answers nothing. */
export function done(call: () => void): Outcome<null> {
  return outcome(() => {
    call()
    return null
  })
}

/** Errors travel as data: comlink keeps neither their class nor their fields. */
export function outcome<T>(call: () => T): Outcome<T> {
  try {
    return { value: call() }
  } catch (error) {
    return { error: toEnvelope(error) }
  }
}
