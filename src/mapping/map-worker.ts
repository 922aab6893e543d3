import type { MessagePort } from 'node:worker_threads'
import { done, outcome, runService } from '../actor/service-worker.js'
import type { MapDeviceModule } from '../device/seam.js'
import type { MapService, MapServiceData } from '../protocol/messages.js'
import { MapActor } from './map-actor.js'

/** The mapping worker's thread. */
export function runMapWorker(control: MessagePort, { descriptor }: MapServiceData): Promise<void> {
  return runService(control, async () => {
    const module = (await import(descriptor.module)) as MapDeviceModule
    const actor = new MapActor(await module.openMapDevice(descriptor.options))
    const methods: MapService = {
      map: (request) => outcome(() => actor.map(request)),
      unmap: (id) => done(() => actor.unmap(id)),
      setUnmapNotify: (id, offset, action, port) =>
        done(() => actor.setUnmapNotify(id, offset, action, port)),
      copy: (segments) => outcome(() => actor.copy(segments)),
    }
    return { methods, close: () => actor.close() }
  })
}
