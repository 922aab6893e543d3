import { PAGE_SIZE } from '../abi.js'
import type { CopySegment, CopySide } from '../drivers/gntdev/map-device.js'
import { GrantError } from '../errors.js'
import { checkDomid, checkNumber, checkReference } from './message-numbers.js'

/**
 * The segments of a grant copy on their way to the mapping worker, as numbers: to send an object for each takes ten times as long
 * as to copy its bytes. Of each segment the length, then its two sides: the domid or {@link MEMORY}, the grant reference or which of
 * the buffers it is, the offset.
 */
export interface CopyMessage {
  readonly numbers: Float64Array
  readonly buffers: readonly SharedArrayBuffer[]
}

const PER_SIDE = 3
const PER_SEGMENT = 1 + 2 * PER_SIDE
/** No domid. */
const MEMORY = -1

export function encodeSegments(segments: readonly CopySegment[]): CopyMessage {
  const numbers = new Float64Array(segments.length * PER_SEGMENT)
  const buffers: SharedArrayBuffer[] = []
  const indexes = new Map<SharedArrayBuffer, number>()
  let at = 0
  const put = (side: CopySide): void => {
    if ('ref' in side) {
      numbers[at++] = side.domid
      numbers[at++] = side.ref
    } else {
      let index = indexes.get(side.buffer)
      if (index === undefined) {
        index = buffers.push(side.buffer) - 1
        indexes.set(side.buffer, index)
      }
      numbers[at++] = MEMORY
      numbers[at++] = index
    }
    numbers[at++] = side.offset
  }
  for (const { source, target, length } of segments) {
    numbers[at++] = length
    put(source)
    put(target)
  }
  return { numbers, buffers }
}

/** Nothing of it is trusted: Xen would copy to whatever address comes of it. @throws GrantError ERR_GRANTS_PROTOCOL */
export function decodeSegments(message: unknown): CopySegment[] {
  const { numbers, buffers } = checkMessage(message)
  const sideAt = (at: number, length: number): CopySide => {
    const [domid, which, offset] = [numbers[at]!, numbers[at + 1]!, numbers[at + 2]!]
    if (domid !== MEMORY) {
      checkDomid(domid)
      checkReference(which)
      checkNumber('offset', offset, 0, PAGE_SIZE - length)
      return { domid, ref: which, offset }
    }
    const buffer = buffers[checkNumber('buffer', which, 0, buffers.length - 1)]!
    checkNumber('offset', offset, 0, buffer.byteLength - length)
    return { buffer, offset }
  }
  const segments: CopySegment[] = []
  for (let at = 0; at < numbers.length; at += PER_SEGMENT) {
    const length = checkNumber('length', numbers[at], 1, PAGE_SIZE)
    segments.push({ source: sideAt(at + 1, length), target: sideAt(at + 1 + PER_SIDE, length), length })
  }
  return segments
}

function checkMessage(message: unknown): CopyMessage {
  const { numbers, buffers } = (message ?? {}) as Partial<CopyMessage>
  if (numbers instanceof Float64Array && numbers.length % PER_SEGMENT === 0 && Array.isArray(buffers))
    if (buffers.every((buffer) => buffer instanceof SharedArrayBuffer))
      // A copy, if it is shared: what has been checked must not change.
      return { numbers: numbers.buffer instanceof ArrayBuffer ? numbers : numbers.slice(), buffers }
  throw new GrantError('ERR_GRANTS_PROTOCOL', 'a message is not of segments to copy')
}
