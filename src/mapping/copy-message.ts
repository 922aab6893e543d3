import type { CopySegment, CopySide } from '../drivers/gntdev/map-device.js'

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

export function decodeSegments({ numbers, buffers }: CopyMessage): CopySegment[] {
  const sideAt = (at: number): CopySide => {
    const [domid, which, offset] = [numbers[at]!, numbers[at + 1]!, numbers[at + 2]!]
    return domid === MEMORY ? { buffer: buffers[which]!, offset } : { domid, ref: which, offset }
  }
  const segments: CopySegment[] = []
  for (let at = 0; at < numbers.length; at += PER_SEGMENT) {
    const [source, target] = [sideAt(at + 1), sideAt(at + 1 + PER_SIDE)]
    segments.push({ source, target, length: numbers[at]! })
  }
  return segments
}
