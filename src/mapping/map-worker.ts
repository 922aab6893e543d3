import type { MessagePort } from 'node:worker_threads'
import { MappingLedger } from '../actor/ledger.js'
import { done, outcome, runService } from '../actor/service-worker.js'
import type { MapDeviceModule } from '../device/seam.js'
import type { MapService, MapServiceData } from '../protocol/messages.js'
import { MapActor } from './map-actor.js'

/** The mapping worker's thread. */
export function runMapWorker(control: MessagePort, { descriptor, ledger }: MapServiceData): Promise<void> {
  return runService(control, async () => {
    const module = (await import(descriptor.module)) as MapDeviceModule
    const actor = new MapActor(await module.openMapDevice(descriptor.options), new MappingLedger(ledger))
    const methods: MapService = {
      map: (request) => outcome(() => actor.map(request)),
      unmap: (id, force) => done(() => actor.unmap(id, force)),
      unreserve: (id) => done(() => actor.unreserve(id)),
      setUnmapNotify: (id, offset, action, port) =>
        done(() => actor.setUnmapNotify(id, offset, action, port)),
      copy: (segments) => outcome(() => actor.copy(segments)),
    }
    return { methods, close: (force) => actor.close(force) }
  })
}
