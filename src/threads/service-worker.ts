import type { MessagePort } from 'node:worker_threads'
import { toEnvelope } from './envelope.js'
import { type Service, serveCalls } from './service-calls.js'
import type { ServiceControl, StartNotice } from './thread-messages.js'

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
      serveCalls(port, service)
      return
    }
    service.close()
    port?.close()
    control.close()
  })
  notify({ type: 'ready' })
}
