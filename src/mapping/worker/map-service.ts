import { outcome, type Service, type Together } from '../../threads/service-calls.js'
import { decodeSegments } from '../copy-message.js'
import { decodeMap } from '../map-message.js'
import type { MapService } from '../map-messages.js'
import { checkNotify, checkNumber } from '../message-numbers.js'
import type { MapActor } from './map-actor.js'

/** What the client of a mapping worker may call. Nothing that it sends is trusted. */
export function mapService(actor: MapActor): Omit<Service, 'close'> {
  const methods: MapService = {
    map: (...request) => actor.map(decodeMap(request)),
    unmap: (id) => actor.unmap(checkedId(id)),
    setUnmapNotify: (id, offset, action, port) =>
      actor.setUnmapNotify(checkedId(id), checkNotify(offset, action, port)),
    copy: (message) => actor.copy(decodeSegments(message)),
  }
  const unmap: Together = (calls) => {
    // Of what is no mapping's number nothing is found.
    actor.unmapMemory(new Set(calls.map(([id]) => id as number)))
    return calls.map(([id]) => outcome(() => actor.unmap(checkedId(id))))
  }
  return { methods, together: { unmap } }
}

function checkedId(id: unknown): number {
  return checkNumber('number of a mapping', id, 1, Number.MAX_SAFE_INTEGER)
}
