import type { MessagePort } from 'node:worker_threads'
import type { MapDeviceModule } from '../../drivers/gntdev/map-device.js'
import { done, outcome, runService } from '../../threads/service-worker.js'
import { decodeSegments } from '../copy-message.js'
import type { MapService, MapServiceData } from '../map-messages.js'
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
      copy: (message) => outcome(() => actor.copy(decodeSegments(message))),
    }
    return { methods, close: () => actor.close() }
  })
}
