import type { DeviceDescriptor } from '../drivers/descriptor.js'
import type { ThreadData } from '../threads/thread-messages.js'
import type { CopyMessage } from './copy-message.js'
import type { MapMessage } from './map-message.js'

/** Given to the mapping worker when it starts. */
export interface MapServiceData extends ThreadData {
  descriptor: DeviceDescriptor
}

/** What the mapping worker does. */
export interface MapService {
  map(...request: MapMessage): MapAnswer
  unmap(id: number): void
  setUnmapNotify(id: number, offset: number, action: number, port: number): void
  /** Answers the status of each segment. */
  copy(message: CopyMessage): Int16Array
}

/** The status page's buffer is never looked at, but held for as long as the data, see `MappedGrant`. */
export type MapAnswer = [id: number, buffer: SharedArrayBuffer, status?: SharedArrayBuffer]
