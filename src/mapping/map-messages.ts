import type { DeviceDescriptor } from '../drivers/descriptor.js'
import type { Outcome, ThreadData } from '../threads/thread-messages.js'
import type { CopyMessage } from './copy-message.js'

/** Given to the mapping worker when it starts. */
export interface MapServiceData extends ThreadData {
  descriptor: DeviceDescriptor
}

/** What the mapping worker does. */
export interface MapService {
  map(request: MapRequest): Outcome<MapAnswer>
  unmap(id: number): Outcome<null>
  setUnmapNotify(id: number, offset: number, action: number, port: number): Outcome<null>
  /** Answers the status of each segment. */
  copy(message: CopyMessage): Outcome<Int16Array>
}

export interface MapAnswer {
  id: number
  buffer: SharedArrayBuffer
  /** The status page's: never looked at, but held for as long as the data, see `MappedGrant`. */
  status: SharedArrayBuffer | undefined
}

export interface MapRequest {
  /** Pairs of domid and reference. */
  names: Uint32Array
  writable: boolean
  notify: { offset: number; action: number; port: number } | undefined
  /** Where the granter watches for our end, see `src/pages/peer-status.ts`. Port 0: no event. */
  status: { domid: number; ref: number; offset: number; port: number } | undefined
}
