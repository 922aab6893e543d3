import type { MessagePort } from 'node:worker_threads'
import { done, outcome, runService } from '../actor/service-worker.js'
import type { EventDeviceModule } from '../device/seam.js'
import type { EventRequest, EventService, ServiceData } from '../protocol/messages.js'
import { EventActor } from './event-actor.js'

/** The event worker's thread. */
export function runEventWorker(control: MessagePort, { descriptor }: ServiceData): Promise<void> {
  return runService(control, async () => {
    const module = (await import(descriptor.module)) as EventDeviceModule
    const actor = new EventActor(await module.openEventDevice(descriptor.options))
    const methods: EventService = {
      bindUnbound: (domid) => outcome(() => actor.bindUnbound(domid)),
      bindInterdomain: (domid, port) => outcome(() => actor.bindInterdomain(domid, port)),
      bindVirq: (virq) => outcome(() => actor.bindVirq(virq)),
      unbind: (port) => done(() => actor.unbind(port)),
      restrict: (domid) => done(() => actor.restrict(domid)),
    }
    let events: MessagePort | undefined
    return {
      methods,
      attach(port) {
        events = port
        port.on('message', (request: EventRequest) => actor.handle(request))
        actor.start((report) => port.postMessage(report))
      },
      close() {
        actor.close()
        events?.close()
      },
    }
  })
}
