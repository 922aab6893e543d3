import { GNTST_NAMES, PAGE_SIZE } from '../abi.js'
import { checkInteger, checkOptions, invalidArgType, outOfRange } from '../arguments.js'
import type { CopySegment } from '../device/seam.js'

/** A place inside a grant. */
export interface GrantPlace {
  domid: number
  ref: number
  /** Byte in the page, 0 to 4095. Default 0. */
  offset?: number
}

export interface CopyOptions {
  source: GrantPlace | Uint8Array
  target: GrantPlace | Uint8Array
  /** Bytes; may be left out when a side is memory, whose length it then is. */
  length?: number
}

/** How one segment of a copy went. */
export interface CopyResult {
  /** 0, or the negative GNTST_ code of Xen's `public/grant_table.h`. */
  status: number
  /** Its name there: 'GNTST_okay', 'GNTST_general_error' for what is not granted to this domain, … */
  name: string
}

export function copyResults(statuses: Int16Array): CopyResult[] {
  return Array.from(statuses, (status) => ({ status, name: GNTST_NAMES.get(status) ?? `GNTST_${status}` }))
}

export function checkSegments(segments: unknown, addressOf: (bytes: Uint8Array) => number): CopySegment[] {
  if (!Array.isArray(segments)) throw invalidArgType('segments', 'an array', segments)
  return segments.map((segment: unknown, i) => {
    const name = `segments[${i}]`
    const { source, target, length } = checkOptions<CopyOptions>(name, segment, [
      'source',
      'target',
      'length',
    ])
    if (source instanceof Uint8Array && target instanceof Uint8Array) {
      throw invalidArgType(`${name}.target`, 'a grant, when the source is memory', target)
    }
    const memory = [source, target].find((side) => side instanceof Uint8Array)
    const bytes = length ?? memory?.byteLength
    checkInteger(`${name}.length`, bytes, 1, Math.min(PAGE_SIZE, memory?.byteLength ?? PAGE_SIZE))
    return {
      source: side(`${name}.source`, source, bytes, addressOf),
      target: side(`${name}.target`, target, bytes, addressOf),
      length: bytes,
    }
  })
}

function side(
  name: string,
  value: GrantPlace | Uint8Array,
  length: number,
  addressOf: (bytes: Uint8Array) => number,
): CopySegment['source'] {
  if (value instanceof Uint8Array) {
    // Small typed arrays live in V8's heap, where they move; asking for the buffer takes them out.
    void value.buffer
    return { address: addressOf(value) }
  }
  const { domid, ref, offset = 0 } = checkOptions<GrantPlace>(name, value, ['domid', 'ref', 'offset'])
  checkInteger(`${name}.domid`, domid, 0, 0xffff)
  checkInteger(`${name}.ref`, ref, 1, 0xffff_ffff)
  checkInteger(`${name}.offset`, offset, 0, PAGE_SIZE - 1)
  if (offset + length > PAGE_SIZE) {
    throw outOfRange(`${name}.offset`, `<= ${PAGE_SIZE - length}: a piece must not cross its page`, offset)
  }
  return { domid, ref, offset }
}
