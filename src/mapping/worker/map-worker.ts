import type { MessagePort } from 'node:worker_threads'
import type { MapDeviceModule } from '../../drivers/gntdev/map-device.js'
import { runService } from '../../threads/service-worker.js'
import type { MapServiceData } from '../map-messages.js'
import { MapActor } from './map-actor.js'
import { mapService } from './map-service.js'

/** The mapping worker's thread. */
export function runMapWorker(control: MessagePort, { descriptor }: MapServiceData): Promise<void> {
  return runService(control, async () => {
    const module = (await import(descriptor.module)) as MapDeviceModule
    const actor = new MapActor(await module.openMapDevice(descriptor.options))
    return { ...mapService(actor), close: () => actor.close() }
  })
}
