import type { MessagePort } from 'node:worker_threads'
import type { EventDeviceModule } from '../../drivers/evtchn/event-device.js'
import { runService } from '../../threads/service-worker.js'
import type { EventService, EventServiceData } from '../event-messages.js'

/** The event worker's thread: what may sleep. What fires, and who is notified, is its client's thread's. */
export function runEventWorker(control: MessagePort, { module, file }: EventServiceData): Promise<void> {
  return runService(control, async () => {
    const { joinEventDevice } = (await import(module)) as EventDeviceModule
    const device = await joinEventDevice(file)
    const methods: EventService = {
      bindUnbound: (domid) => device.bindUnbound(domid),
      bindInterdomain: (domid, port) => device.bindInterdomain(domid, port),
      bindVirq: (virq) => device.bindVirq(virq),
      unbind: (port) => device.unbind(port),
      restrict: (domid) => device.restrict(domid),
    }
    return { methods, close: () => device.close() }
  })
}
